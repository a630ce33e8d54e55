"""An archive's name in, a running TorchServe out. Not part of the archive."""
