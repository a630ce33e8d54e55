"""Which models answer: found in a folder, loaded and proven, exchanged without losing a request."""
