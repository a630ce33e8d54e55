"""A data set and a recipe in, what would keep a model from learning out; in under a minute, before hours are spent."""
