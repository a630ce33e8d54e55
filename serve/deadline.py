"""How long a caller wants to wait: a header in, a moment out, and work that ends when nobody waits for it any more."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from contract.request_error import RequestError
from serve.scheduling.batcher import deadline_exceeded

HEADER = "X-Request-Timeout-Ms"
Result = TypeVar("Result")


def deadline_of(request: Request, limit_ms: int, asked_ms: int | None = None) -> float:
    """The moment of `time.perf_counter` until which to do what begins now: who asks may only shorten the limit.

    `asked_ms` is what the body says, beside the header. Raises `RequestError` 422.
    """
    given = request.headers.get(HEADER, str(limit_ms))
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and int(given)):
        raise RequestError(422, "invalid_parameter", f"{HEADER} is not valid; expected whole milliseconds, at least 1")
    return time.perf_counter() + min(int(given), limit_ms, asked_ms or limit_ms) / 1000


@asynccontextmanager
async def until(deadline: float) -> AsyncIterator[None]:
    """Work that ends with `RequestError` 504 at the deadline."""
    try:
        async with asyncio.timeout(deadline - time.perf_counter()):
            yield
    except TimeoutError:
        raise deadline_exceeded() from None


async def while_awaited(request: Request, deadline: float, work: Coroutine[Any, Any, Result]) -> Result:
    """Do `work` as long as its caller waits; the request's body must have been read.

    Raises `RequestError` 504 at the deadline, and `ClientDisconnect`, after which nobody reads what is answered.
    """
    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(request.receive())
    try:
        async with until(deadline):
            await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise ClientDisconnect
    finally:
        doing.cancel()
        leaving.cancel()
