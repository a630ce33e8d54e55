"""How many requests may be refused: a token bucket, which clients that ask again at once soon empty.

To refuse one costs little, but thousands a second take the processor from those that are answered.
"""

import time

PER_S = 150.0
"""So many requests may be refused each second for long,"""
FIRST_PER_S = 220.0
"""so many connections with their first request,"""
BURST = 300.0
"""and so many at once."""


class RefusalRate:
    """Hears of every refusal."""

    def __init__(self, per_s: float) -> None:
        self._per_s, self._room, self._seen = per_s, BURST, time.monotonic()

    @property
    def room(self) -> float:
        """How many more may be refused now; below 0 if others came before the first was refused."""
        now = time.monotonic()
        self._room = min(BURST, self._room + (now - self._seen) * self._per_s)
        self._seen = now
        return self._room

    def refused(self) -> None:
        """One more was."""
        self._room = self.room - 1
