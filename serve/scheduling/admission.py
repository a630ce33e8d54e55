"""A request comes in; whether it may wait is decided by how long it would, not by how many wait."""

import math
import time

from contract.request_error import RequestError
from serve.errors import deadline_exceeded
from serve.scheduling.batcher import Batcher
from serve.scheduling.decoder import Decoder

LONGEST_RETRY_S = 5.0
"""Longer than this nobody is put off for the sake of others who were refused and may not come again."""


class Admission:
    """The bound on the queue, in seconds of predicted wait."""

    def __init__(self, decoder: Decoder, batcher: Batcher, max_wait_s: float) -> None:
        self._decoder, self._batcher, self._max_wait_s = decoder, batcher, max_wait_s
        self._promised = 0.0
        """The moment before which the room that there will be is promised to who was refused."""

    @property
    def waiting(self) -> int:
        """How many pictures wait, those being decoded among them."""
        return self._decoder.pending + self._batcher.waiting

    @property
    def wait_s(self) -> float:
        """How long a picture that comes now will wait: for the decoders or for the runners, whichever are behind."""
        return self._wait_behind(0)

    @property
    def load(self) -> float:
        """That wait, as a share of the longest that is accepted."""
        return self.wait_s / self._max_wait_s

    @property
    def is_refusing(self) -> bool:
        """Whether a picture that comes now would wait too long."""
        return self.wait_s > self._max_wait_s

    def refusal(self) -> RequestError | None:
        """429 if a picture that comes now would wait too long."""
        wait = self.wait_s
        if wait <= self._max_wait_s:
            return None
        retry = self._retry_s(wait - self._max_wait_s)
        message = f"the server is overloaded: a new image would wait {wait:.1f} s; try again in {retry} s"
        return RequestError(429, "overloaded", message, {"Retry-After": str(retry)})

    def check(self, deadline: float, count: int = 1) -> None:
        """For `count` pictures that come now, raise `RequestError`: 429 if the first would wait too long, 504 if the
        last would miss `deadline`, a moment of `time.perf_counter`.
        """
        if refusal := self.refusal():
            raise refusal
        last = self._wait_behind(count - 1)
        if time.perf_counter() + last + self._batcher.times.fastest_s > deadline:
            raise deadline_exceeded()

    def _wait_behind(self, more: int) -> float:
        """As `wait_s`, if so many more came before."""
        return max(self._decoder.pool.wait_s, self._batcher.wait_s(self.waiting + more))

    def _retry_s(self, excess_s: float) -> int:
        """In how many seconds there will be room: one after another, or all who are refused would come at once."""
        now = time.perf_counter()
        room = max(now + excess_s, min(self._promised, now + LONGEST_RETRY_S))
        self._promised = room + self._batcher.image_s
        return max(1, math.ceil(room - now))
