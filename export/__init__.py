"""runs/<run>/ -> runs/<run>/bundle/: the deployable graphs, and the proof that they equal the trained model."""
