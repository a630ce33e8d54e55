"""Seconds that batches took in, how long the next ones will take out."""

import time
from collections.abc import Mapping

# Of each new observation: half of what was known is forgotten after seven batches.
WEIGHT = 0.1
# After so long without a batch, what is known of them may no longer hold.
STALE_S = 10.0


class BatchTimes:
    """Seconds by batch size: the shape was measured at start, its scale follows what the server sees."""

    def __init__(self, measured_s: Mapping[int, float]) -> None:
        self.measured_s = dict(sorted(measured_s.items()))
        self.scale = 1.0
        self._seen = time.perf_counter()

    @property
    def buckets(self) -> list[int]:
        """The batch sizes that are run, smallest first."""
        return list(self.measured_s)

    @property
    def largest(self) -> int:
        """The largest batch."""
        return self.buckets[-1]

    def bucket(self, images: int) -> int:
        """The largest batch that so many images fill; at least the smallest."""
        return max((size for size in self.buckets if size <= images), default=self.buckets[0])

    def seconds(self, size: int) -> float:
        """How long a batch of one of the bucket sizes will take."""
        return self.scale * self.measured_s[size]

    @property
    def fastest_s(self) -> float:
        """What the smallest batch took when it was measured, or less if it takes less now: less time can't be enough.

        Who is refused teaches nothing: 0 where nothing has run for a while, so that one is tried.
        """
        if time.perf_counter() - self._seen > STALE_S:
            return 0.0
        return self.measured_s[self.buckets[0]] * min(1.0, self.scale)

    def observe(self, size: int, seconds: float) -> None:
        """Learn from a batch that was run; one that stalled counts as one of twice the expected time."""
        self._seen = time.perf_counter()
        seen = min(seconds / self.measured_s[size], 2 * self.scale)
        self.scale += WEIGHT * (seen - self.scale)
