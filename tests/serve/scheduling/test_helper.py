"""Work in another process."""

import asyncio
import os

import pytest

from contract.request_error import RequestError
from serve.scheduling.helper import Helper
from serve.v2.elsewhere import read_plainly
from tests.serve.scheduling.tasks import die, hang, say_who

LARGE = os.urandom(3_000_000)


def test_work_is_done_in_another_process_which_stays_for_the_next() -> None:
    async def scenario() -> list[int]:
        helper = Helper()
        found = [await helper.run(say_who, LARGE) for _ in range(2)]
        await helper.close()
        found.append(await helper.run(say_who, b""))
        await helper.close()
        assert [list(blocks) for _, blocks in found] == [[LARGE, b"", LARGE[:1]]] * 2 + [[b""] * 3]
        return [said["process"] for said, _ in found]

    first, second, anew = asyncio.run(scenario())
    assert first == second != os.getpid()
    assert anew not in (first, os.getpid())


def test_what_is_wrong_with_a_request_is_raised_where_it_was_asked() -> None:
    async def scenario() -> None:
        helper = Helper()
        with pytest.raises(RequestError, match="the JSON is not an inference request") as caught:
            await helper.run(read_plainly, b"[]", header_length=None, size=32, most=4)
        assert (caught.value.status, caught.value.code) == (400, "malformed_request")
        await helper.close()

    asyncio.run(scenario())


def test_a_process_that_dies_or_is_not_waited_for_is_replaced() -> None:
    async def scenario() -> None:
        helper = Helper()
        with pytest.raises(asyncio.IncompleteReadError):
            await helper.run(die, b"")
        assert await helper.run(say_who, b"")
        waiting = asyncio.create_task(helper.run(hang, b""))
        while not helper._turn.locked():
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        said, _ = await helper.run(say_who, b"four")
        assert said["size"] == 4
        await helper.close()

    asyncio.run(scenario())
