"""The HTTP dialects, a file each."""
