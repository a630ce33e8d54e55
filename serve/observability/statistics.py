"""What the V2 statistics extension tells: counts and nanoseconds since the start."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Duration:
    """How often, and how long altogether."""

    count: int = 0
    ns: int = 0

    def add(self, seconds: float) -> None:
        """One more."""
        self.count += 1
        self.ns += round(seconds * 1e9)


@dataclass
class Statistics:
    """One model's, in Triton's terms (extension_statistics.md): an execution is a batch, an inference a picture."""

    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    compute_input: Duration = field(default_factory=Duration)
    compute_infer: Duration = field(default_factory=Duration)
    batches: dict[int, Duration] = field(default_factory=dict)
    inferences: int = 0
    last_ms: int = 0

    def on_request(self, seconds: float, *, failed: bool) -> None:
        """A request for the model has ended."""
        (self.fail if failed else self.success).add(seconds)

    def on_batch(self, waits_s: Sequence[float], inference_s: float) -> None:
        """A batch was run."""
        self.inferences += len(waits_s)
        self.last_ms = round(time.time() * 1000)
        self.batches.setdefault(len(waits_s), Duration()).add(inference_s)
        for wait in waits_s:
            self.queue.add(wait)
            self.compute_infer.add(inference_s)
