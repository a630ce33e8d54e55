"""Runs in, whether one is better than the other out: paired, on the same images."""
