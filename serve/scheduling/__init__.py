"""Whether a picture may wait, and when it is decoded, batched and run."""
