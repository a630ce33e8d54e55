"""Work in another process."""

import asyncio
import os
from functools import partial

import pytest

from contract.request_error import RequestError
from serve.scheduling.helper import Helper
from serve.v2.codec import read_query


def test_work_is_done_in_another_process_which_stays_for_the_next() -> None:
    async def scenario() -> list[int]:
        helper = Helper()
        found = [await helper.run(os.getpid) for _ in range(2)]
        await helper.close()
        found.append(await helper.run(os.getpid))
        await helper.close()
        return found

    first, second, anew = asyncio.run(scenario())
    assert first == second != os.getpid()
    assert anew not in (first, os.getpid())


def test_what_is_wrong_with_a_request_is_raised_where_it_was_asked() -> None:
    async def scenario() -> None:
        helper = Helper()
        with pytest.raises(RequestError, match="the JSON is not an inference request") as caught:
            await helper.run(partial(read_query, b"[]", None, 32, 4))
        assert (caught.value.status, caught.value.code) == (400, "malformed_request")
        await helper.close()

    asyncio.run(scenario())


def test_a_process_that_dies_or_is_not_waited_for_is_replaced() -> None:
    async def scenario() -> None:
        helper = Helper()
        with pytest.raises(asyncio.IncompleteReadError):
            await helper.run(partial(os._exit, 3))
        assert await helper.run(os.getpid)
        waiting = asyncio.create_task(helper.run(partial(os.read, os.pipe()[0], 1)))
        while not helper._turn.locked():
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await helper.run(partial(len, "four")) == 4
        await helper.close()

    asyncio.run(scenario())
