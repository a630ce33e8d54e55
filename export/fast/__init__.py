"""Fast modes of an exported bundle: an int8 graph, and certificates for the modes that cost next to nothing."""
