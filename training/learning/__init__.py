"""The epochs of a run: batches, steps, checkpoints and progress."""
