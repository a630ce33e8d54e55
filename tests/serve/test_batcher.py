"""The batcher around a session that waits to be told to go on."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from contract.graph import Outputs
from contract.request_error import RequestError
from serve.batcher import Batcher


class GatedSession:
    """Answers with each image's first pixel, once per permission; image 13 crashes it."""

    def __init__(self) -> None:
        self.gate, self.batches = threading.Semaphore(0), list[int]()

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        self.batches.append(len(images))
        assert self.gate.acquire(timeout=10)
        values = images[:, 0, 0, :1].astype(np.float32)
        if 13 in values:
            raise RuntimeError("session crashed")
        return Outputs(values, values, values[..., None, None])


def image(value: int) -> NDArray[np.uint8]:
    return np.full((2, 2, 3), value, np.uint8)


@contextlib.asynccontextmanager
async def running(session: GatedSession, max_waiting: int = 16) -> AsyncIterator[Batcher]:
    def on_batch(waits_s: Sequence[float], inference_s: float) -> None:
        assert min(waits_s) >= 0
        assert inference_s > 0

    batcher = Batcher(session.run, max_batch=4, max_waiting=max_waiting, on_batch=on_batch)
    worker = asyncio.create_task(batcher.work())
    yield batcher
    worker.cancel()


async def busy(session: GatedSession, batches: int) -> None:
    """Wait until the session works on its `batches`-th batch."""
    async with asyncio.timeout(10):
        while len(session.batches) < batches:
            await asyncio.sleep(0)


def test_a_lone_image_starts_at_once_and_others_gather_meanwhile() -> None:
    async def scenario() -> None:
        session = GatedSession()
        async with running(session) as batcher:
            first = batcher.submit([image(1)])
            await busy(session, 1)
            rest = batcher.submit([image(value) for value in range(2, 8)])
            session.gate.release(3)
            answers = [entry.outputs.logits[0, 0] for entry in await asyncio.gather(*first, *rest)]
        assert answers == [1, 2, 3, 4, 5, 6, 7]
        assert session.batches == [1, 4, 2]

    asyncio.run(scenario())


def test_a_full_queue_is_429_with_retry_after_and_takes_nothing() -> None:
    async def scenario() -> None:
        session = GatedSession()
        async with running(session, max_waiting=3) as batcher:
            first = batcher.submit([image(1)])
            await busy(session, 1)
            waiting = batcher.submit([image(2), image(3)])
            with pytest.raises(RequestError, match="2 images wait already") as caught:
                batcher.submit([image(4), image(5)])
            assert batcher.waiting == 2
            session.gate.release(9)
            await asyncio.gather(*first, *waiting)
        assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "1"})

    asyncio.run(scenario())


def test_a_crash_fails_its_batch_and_the_next_one_is_answered() -> None:
    async def scenario() -> None:
        session = GatedSession()
        session.gate.release(9)
        async with running(session) as batcher:
            with pytest.raises(RuntimeError, match="session crashed"):
                await batcher.submit([image(13)])[0]
            assert (await batcher.submit([image(5)])[0]).outputs.logits[0, 0] == 5

    asyncio.run(scenario())


def test_a_cancelled_image_is_not_computed() -> None:
    async def scenario() -> None:
        session = GatedSession()
        async with running(session) as batcher:
            first = batcher.submit([image(1)])
            await busy(session, 1)
            gone, stays = batcher.submit([image(2), image(3)])
            gone.cancel()
            session.gate.release(9)
            await asyncio.gather(*first, stays)
        assert session.batches == [1, 1]

    asyncio.run(scenario())
