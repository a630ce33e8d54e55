"""Where a request's time went: seconds by stage in, the header Server-Timing (W3C) out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from serve.batcher import Answered


@dataclass
class Timing:
    """One request's stages, named as in the histograms of `/metrics`; of several pictures the slowest counts."""

    started: float = field(default_factory=time.perf_counter)
    decode_s: float | None = None
    queue_s: float | None = None
    inference_s: float | None = None
    batch: int | None = None

    @property
    def total_s(self) -> float:
        """How long ago the request came."""
        return time.perf_counter() - self.started

    def note(self, answered: Sequence[Answered]) -> None:
        """Take the stages of a request's pictures; of those that could not be read there is only the decoding."""
        if answered:
            self.queue_s = max(entry.queue_s for entry in answered)
            self.inference_s = max(entry.inference_s for entry in answered)
            self.batch = max(entry.batch for entry in answered)

    @property
    def stages(self) -> dict[str, float]:
        """Seconds by stage, of those that the request has been through."""
        known = {"decode": self.decode_s, "queue": self.queue_s, "inference": self.inference_s, "total": self.total_s}
        return {name: seconds for name, seconds in known.items() if seconds is not None}

    @property
    def header(self) -> str:
        """The header's value: durations in ms, and how many images were answered together."""
        parts = [f"{name};dur={1000 * seconds:.2f}" for name, seconds in self.stages.items()]
        if self.batch is not None:
            parts.append(f'batch;desc="{self.batch}"')
        return ", ".join(parts)
