"""runs/<run>/ -> runs/<run>/bundle/: exports the graphs and proves that they answer like the trained model."""
