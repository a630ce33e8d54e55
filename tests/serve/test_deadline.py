"""One moment for all steps of a request."""

import asyncio
import time

import pytest

from contract.request_error import RequestError
from serve.deadline import Deadline


def test_who_asks_may_only_shorten_it() -> None:
    deadline = Deadline.after(100.0, 10_000)
    assert deadline.within(2_000).at == 102.0
    assert deadline.within(20_000) == deadline.within(None) == deadline
    assert deadline.later(3.0).within(2_000).at == 105.0


def test_work_ends_when_it_is_over() -> None:
    async def scenario() -> None:
        with pytest.raises(RequestError, match="after the request's deadline"):
            async with Deadline.after(time.perf_counter(), 1).kept():
                await asyncio.Event().wait()

    asyncio.run(scenario())
