"""A session that waits to be told to go on, for what depends on who waits meanwhile."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from contract.graph import Outputs
from serve.scheduling.batch_times import BatchTimes
from serve.scheduling.batcher import Batcher
from serve.scheduling.executor import BatchExecutor

TIMES = {1: 1.0, 2: 2.0, 4: 4.0}


class GatedSession:
    """Answers with each image's first pixel, once per permission; image 13 crashes it, image 66 for good."""

    def __init__(self) -> None:
        self.gate, self.batches = threading.Semaphore(0), list[int]()
        self.broken = False

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        self.batches.append(len(images))
        assert self.gate.acquire(timeout=10)
        values = images[:, 0, 0, :1].astype(np.float32)
        self.broken = self.broken or 66 in values
        if self.broken or 13 in values:
            raise RuntimeError("session crashed")
        return Outputs(values, values, values[..., None, None])


def image(value: int) -> NDArray[np.uint8]:
    return np.full((2, 2, 3), value, np.uint8)


@asynccontextmanager
async def running(
    session: GatedSession,
    runners: int = 1,
    times: Mapping[int, float] = TIMES,
    executor: BatchExecutor | None = None,
    alone: GatedSession | None = None,
) -> AsyncIterator[Batcher]:
    """A batcher that works on the session, and for a lone image on the session `alone`."""

    def on_batch(waits_s: Sequence[float], inference_s: float) -> None:
        assert min(waits_s) >= 0
        assert inference_s > 0

    lanes = executor or BatchExecutor(runners)
    batcher = Batcher(session.run, BatchTimes(times), lanes, on_batch, alone.run if alone else None)
    worker = asyncio.create_task(batcher.work())
    yield batcher
    for gated in (session, alone or session):
        gated.gate.release(99)
    worker.cancel()


async def busy(session: GatedSession, batches: int) -> None:
    """Wait until the session works on its `batches`-th batch."""
    async with asyncio.timeout(10):
        while len(session.batches) < batches:
            await asyncio.sleep(0)
