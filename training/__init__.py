"""Images -> runs/<run>/: checkpoints, metrics, report."""
