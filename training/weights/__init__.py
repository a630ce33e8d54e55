"""Weights that training starts from: ImageNet's, those in a file, and those of another run."""
