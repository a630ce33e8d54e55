"""What the server knows of itself: whether it is leaving, and whether it can still answer."""

from dataclasses import dataclass


@dataclass
class Health:
    """Shared by the signals, the routes that tell the health, and the batcher's end."""

    leaving: bool = False
    """Told to end: still answering, no longer ready."""
    failure: Exception | None = None
    """Why the server must end."""

    hung: bool = False
    """At the end a batch was still running, long after everything else."""

    @property
    def ready(self) -> bool:
        """Whether new requests should come here."""
        return not self.leaving and self.failure is None
