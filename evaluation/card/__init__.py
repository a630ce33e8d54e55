"""A finished run in, its model card out."""
