"""Labelled images in, a page out: what a person should know about them before a model is trained."""
