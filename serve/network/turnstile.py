"""How many new connections may be refused: a token bucket, which those that connect again at once soon empty."""

import time

REFUSALS_PER_S = 210.0
"""So many new connections may be refused each second for long,"""
BURST = 300.0
"""and so many at once."""


class Turnstile:
    """Hears of connections that were refused with their first request; while too many are, no new one has room."""

    def __init__(self) -> None:
        self._room, self._seen = BURST, time.monotonic()

    @property
    def room(self) -> float:
        """How many more may be refused now; below 0 if some came in before others were refused."""
        now = time.monotonic()
        self._room = min(BURST, self._room + (now - self._seen) * REFUSALS_PER_S)
        self._seen = now
        return self._room

    def refused(self) -> None:
        """A new connection was."""
        self._room = self.room - 1
