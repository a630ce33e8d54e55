"""Each image file opened once: what it holds, and which files show the same object."""
