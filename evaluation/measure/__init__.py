"""A bundle and labelled images in, its figures out: the model as it is served, on any images with known classes."""
