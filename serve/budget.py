"""Memory is taken only within a budget: one for bodies, unfolded pictures and answers, of requests in any protocol."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from contract import ImageError
from contract.request_error import RequestError

RETRY_S = 1
BODIES = 0.4
"""The share of bodies and answers; what is left is enough for a picture, so that they can't wait for one another."""
SMALL = 0.01
"""The share of what bodies may take up to which one is small;"""
FOR_SMALL = 0.25
"""and the share that is left to small ones, whoever holds the rest."""

OVERHEAD = 1.3
"""What is taken for each byte of the budget, at most; `make bench-hostile` measures it."""


class MemoryBudget:
    """The bytes that all requests may take together: bodies from their arrival until the answer is sent, and pictures
    while they are unfolded.

    `account` is for the event loop, `room` for threads.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0
        self.freed = asyncio.Event()
        self._pixels, self._changed = 0, threading.Condition()

    @property
    def most_bodies(self) -> int:
        """The most bytes of bodies and answers."""
        return int(self.limit * BODIES)

    @property
    def largest_picture(self) -> int:
        """The most bytes that a picture may take."""
        return self.limit - self.most_bodies

    @contextmanager
    def account(self) -> Iterator["Account"]:
        """What one request holds, given back once it is answered."""
        account = Account(self)
        try:
            yield account
        finally:
            account.keep(0)

    @contextmanager
    def room(self, count: int) -> Iterator[None]:
        """Wait until a picture that takes `count` bytes has room, and hold them. Raises `ImageError`."""
        if count > self.largest_picture:
            taken = f"this picture takes {count / 1e6:.0f} MB of memory once it is unpacked"
            raise ImageError(
                "image_too_large",
                f"{taken}; expected at most {self.largest_picture / 1e6:.0f} MB: make it smaller, or save it as JPEG",
            )
        with self._changed:
            self._changed.wait_for(lambda: not self._pixels or self.held + self._pixels + count <= self.limit)
            self._pixels += count
        try:
            yield
        finally:
            with self._changed:
                self._pixels -= count
                self._changed.notify_all()

    def fit(self, room: int, least: int) -> bool:
        """Take no more than what `room` bytes of memory are enough for; whether that is `least` bytes at least."""
        self.limit = min(self.limit, int(room / OVERHEAD))
        return self.limit >= least

    def hold(self, more: int) -> None:
        """So many bytes more of bodies and answers, or less; who waits for memory may look again."""
        self.held += more
        if more < 0:
            self.freed.set()
            with self._changed:
                self._changed.notify_all()


class Account:
    """What one request holds of the budget, in bytes."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget, self._held = budget, 0

    def take(self, count: int) -> None:
        """Hold `count` bytes more. Raises `RequestError` 429 if the budget has no room for them."""
        most = self._budget.most_bodies
        if self._held + count > most * SMALL:
            most = int(most * (1 - FOR_SMALL))
        if self._budget.held + count > most:
            # The rest of the body is not read, so the connection can't be used again.
            raise _overloaded({"Connection": "close"})
        self._hold(count)

    async def reserve(self, count: int, patience_s: float) -> None:
        """Wait until a message of at most `count` bytes fits into half of what bodies may take, and hold that many.

        The other half is left to bodies that are counted while they arrive. Raises `RequestError` 429.
        """
        budget = self._budget
        try:
            async with asyncio.timeout(patience_s):
                while budget.held + count > max(count, budget.most_bodies // 2):
                    budget.freed.clear()
                    await budget.freed.wait()
        except TimeoutError:
            raise _overloaded({}) from None
        self._hold(count)

    def keep(self, count: int) -> None:
        """Hold only `count` bytes from now on."""
        self._hold(count - self._held)

    def _hold(self, more: int) -> None:
        self._held += more
        self._budget.hold(more)


def _overloaded(headers: dict[str, str]) -> RequestError:
    message = f"the requests under way hold all the memory that they may take; try again in {RETRY_S} s"
    return RequestError(429, "overloaded", message, {"Retry-After": str(RETRY_S), **headers})
