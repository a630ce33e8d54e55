"""A request comes in; whether it may wait is decided by how long it would, not by how many wait."""

import math
import time

from contract.request_error import RequestError
from serve.batcher import Batcher, late
from serve.decoder import Decoder


class Admission:
    """The bound on the queue, in seconds of predicted wait."""

    def __init__(self, decoder: Decoder, batcher: Batcher, max_wait_s: float) -> None:
        self._decoder, self._batcher, self._max_wait_s = decoder, batcher, max_wait_s

    @property
    def waiting(self) -> int:
        """How many pictures wait, those being decoded among them."""
        return self._decoder.pending + self._batcher.waiting

    @property
    def wait_s(self) -> float:
        """How long a picture that comes now will wait: for the decoders or for the runners, whichever are behind."""
        return max(self._decoder.pool.wait_s, self._batcher.wait_s(self.waiting))

    @property
    def load(self) -> float:
        """That wait, as a share of the longest that is accepted."""
        return self.wait_s / self._max_wait_s

    def check(self, deadline: float, count: int = 1) -> None:
        """For `count` pictures that come now, raise `RequestError`: 429 if the first would wait too long, 504 if the
        last would miss `deadline`, a moment of `time.perf_counter`.
        """
        wait = self.wait_s
        if wait > self._max_wait_s:
            retry = max(1, math.ceil(wait - self._max_wait_s))
            message = f"a picture that comes now would wait for {wait:.1f} s; try again in {retry} s"
            raise RequestError(429, "overloaded", message, {"Retry-After": str(retry)})
        last = max(wait, self._batcher.wait_s(self.waiting + count - 1))
        if time.perf_counter() + last + self._batcher.times.fastest_s > deadline:
            raise late()
