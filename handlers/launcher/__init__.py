"""Starts and stops TorchServe with one archive. This package is not part of the archive."""
