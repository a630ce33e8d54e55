"""A request comes in; whether it may wait is decided by how long it would, not by how many wait."""

import math
import time

from contract.request_error import RequestError
from serve.errors import deadline_exceeded
from serve.scheduling.batcher import Batcher
from serve.scheduling.decoder import Decoder

LONGEST_RETRY_S = 5.0
"""Longer than this nobody is put off for the sake of others who were refused and may not come again."""


class Bound:
    """How long a picture may wait: `most_s` in a burst, and half of it once the queue has stood at that for so long.

    A queue that stands takes no burst up; it only makes everybody wait, and takes longer to be gone. After Nichols and
    Jacobson, Controlling Queue Delay, ACM Queue 10(5), 2012.
    """

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._long_since, self._stands = math.inf, False

    def at(self, wait_s: float) -> float:
        """The bound in seconds, now that a picture would wait so long."""
        now = time.perf_counter()
        if wait_s < self._most_s / (4 if self._stands else 2):
            self._long_since = math.inf
        else:
            self._long_since = min(self._long_since, now)
        self._stands = now - self._long_since > self._most_s
        return self._most_s / 2 if self._stands else self._most_s


class Admission:
    """The bound on the queue, in seconds of predicted wait."""

    def __init__(self, decoder: Decoder, batcher: Batcher, max_wait_s: float) -> None:
        self._decoder, self._batcher, self._max_wait_s = decoder, batcher, max_wait_s
        self._bound = Bound(max_wait_s)
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
        wait = self.wait_s
        return wait > self._bound.at(wait)

    def refusal(self) -> RequestError | None:
        """429 if a picture that comes now would wait too long."""
        wait = self.wait_s
        bound = self._bound.at(wait)
        if wait <= bound:
            return None
        retry = self._retry_s(wait - bound)
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
