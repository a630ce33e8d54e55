"""How long a request may take: one moment, set when its head is complete and kept through all of its steps."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from serve.errors import deadline_exceeded


@dataclass(frozen=True)
class Deadline:
    """`began` and `at` are moments of `time.perf_counter`."""

    began: float
    at: float

    @classmethod
    def after(cls, began: float, limit_ms: float) -> "Deadline":
        """So long after the request began."""
        return cls(began, began + limit_ms / 1000)

    def within(self, limit_ms: float | None) -> "Deadline":
        """As this one, or sooner: who asks may only shorten the limit. None shortens nothing."""
        return self if limit_ms is None else Deadline(self.began, min(self.at, self.began + limit_ms / 1000))

    def later(self, seconds: float) -> "Deadline":
        """So much later, for what takes the client's time and not ours."""
        return Deadline(self.began + seconds, self.at + seconds)

    @property
    def remaining_s(self) -> float:
        """How much of it is left; below 0 when it is over."""
        return self.at - time.perf_counter()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Work that ends with `RequestError` 504 at that moment."""
        try:
            async with asyncio.timeout(self.remaining_s):
                yield
        except TimeoutError:
            raise deadline_exceeded() from None
