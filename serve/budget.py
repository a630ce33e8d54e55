"""Bytes of request bodies are held only within a budget: one for all requests, over HTTP and gRPC."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from contract.request_error import RequestError

RETRY_S = 1


class BodyBudget:
    """The bytes that the bodies of all requests may take together, each from its arrival until its answer."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0
        self.freed = asyncio.Event()

    @contextmanager
    def account(self) -> Iterator["Account"]:
        """What one request holds, given back once it is answered."""
        account = Account(self)
        try:
            yield account
        finally:
            account.keep(0)


class Account:
    """What one request holds of the budget, in bytes."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget, self._held = budget, 0

    def take(self, count: int) -> None:
        """Hold `count` bytes more. Raises `RequestError` 429 if the budget has no room for them."""
        if self._budget.held + count > self._budget.limit:
            # The rest of the body is not read, so the connection can't be used again.
            raise _overloaded({"Connection": "close"})
        self._hold(count)

    async def reserve(self, count: int, patience_s: float) -> None:
        """Wait until a message of at most `count` bytes fits into half of the budget, and hold that many.

        The other half is left to bodies that are counted while they arrive. Raises `RequestError` 429.
        """
        budget = self._budget
        try:
            async with asyncio.timeout(patience_s):
                while budget.held + count > max(count, budget.limit // 2):
                    budget.freed.clear()
                    await budget.freed.wait()
        except TimeoutError:
            raise _overloaded({}) from None
        self._hold(count)

    def keep(self, count: int) -> None:
        """Hold only `count` bytes from now on."""
        self._hold(count - self._held)
        self._budget.freed.set()

    def _hold(self, more: int) -> None:
        self._held += more
        self._budget.held += more


def _overloaded(headers: dict[str, str]) -> RequestError:
    message = f"the requests under way hold all the memory that they may take; try again in {RETRY_S} s"
    return RequestError(429, "overloaded", message, {"Retry-After": str(RETRY_S), **headers})
