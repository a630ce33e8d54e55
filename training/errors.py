"""The errors of a run's folder and of the machine that trains; none of this needs torch."""

from contract import UserError


class CheckpointError(UserError):
    """A run's folder that is in use, can't be continued, or can't be read."""


class OutOfMemoryError(UserError):
    """A training step that does not fit into the memory."""
