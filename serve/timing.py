"""Where a request's time went: seconds by stage in, the header Server-Timing (W3C) out."""

from collections.abc import Sequence
from dataclasses import dataclass

from serve.batcher import Answered


@dataclass
class Timing:
    """One request's stages, named as in the histograms of `/metrics`; of several pictures the slowest counts."""

    decode_s: float | None = None
    queue_s: float | None = None
    inference_s: float | None = None
    batch: int | None = None

    def note(self, decode_s: float, answered: Sequence[Answered]) -> None:
        """Take the stages of a request's pictures; of those that could not be read there is only the decoding."""
        self.decode_s = decode_s
        if answered:
            self.queue_s = max(entry.queue_s for entry in answered)
            self.inference_s = max(entry.inference_s for entry in answered)
            self.batch = max(entry.batch for entry in answered)

    def header(self, total_s: float) -> str:
        """The header's value: durations in ms, and how many images were answered together."""
        stages = {"decode": self.decode_s, "queue": self.queue_s, "inference": self.inference_s, "total": total_s}
        parts = [f"{name};dur={1000 * seconds:.2f}" for name, seconds in stages.items() if seconds is not None]
        if self.batch is not None:
            parts.append(f'batch;desc="{self.batch}"')
        return ", ".join(parts)
