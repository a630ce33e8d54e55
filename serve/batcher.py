"""Images from many requests in, batches to the one session out.

Work-conserving: a lone image starts at once; images gather only while the session is busy. What may wait is bounded.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract.graph import Outputs
from contract.request_error import RequestError


class Answered(NamedTuple):
    """One image's outputs (N = 1), and how they came about."""

    outputs: Outputs
    queue_s: float
    inference_s: float
    batch: int
    """Images that were answered together."""


@dataclass(frozen=True)
class _Job:
    pixels: NDArray[np.uint8]
    answer: "asyncio.Future[Answered]"
    queued: float = field(default_factory=time.perf_counter)


OnBatch = Callable[[Sequence[float], float], None]


class Batcher:
    """Feeds `run` from a bounded queue; `on_batch(waits_s, inference_s)` hears of every batch."""

    def __init__(
        self, run: Callable[[NDArray[np.uint8]], Outputs], *, max_batch: int, max_waiting: int, on_batch: OnBatch
    ) -> None:
        self._run, self._max_batch, self._on_batch = run, max_batch, on_batch
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue(max_waiting)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._last_batch_s = 0.0

    @property
    def waiting(self) -> int:
        """How many images wait."""
        return self._jobs.qsize()

    def submit(self, images: Sequence[NDArray[np.uint8]]) -> "list[asyncio.Future[Answered]]":
        """Queue images, uint8 [H, W, 3] each, all or none; each has a future of its own.

        Raises `RequestError` 429 when they don't fit in the queue.
        """
        self.require_room(len(images))
        loop = asyncio.get_running_loop()
        jobs = [_Job(pixels, loop.create_future()) for pixels in images]
        for job in jobs:
            self._jobs.put_nowait(job)
        return [job.answer for job in jobs]

    def require_room(self, count: int) -> None:
        """Raise `RequestError` 429 unless `count` more images may wait."""
        if self.waiting + count > self._jobs.maxsize:
            retry = max(1, math.ceil(self.waiting / self._max_batch * self._last_batch_s))
            message = f"{self.waiting} images wait already; try again in {retry} s"
            raise RequestError(429, "overloaded", message, {"Retry-After": str(retry)})

    async def work(self) -> None:
        """Run batches until cancelled."""
        while True:
            batch = [await self._jobs.get()]
            while len(batch) < self._max_batch and not self._jobs.empty():
                batch.append(self._jobs.get_nowait())
            await self._answer([job for job in batch if not job.answer.cancelled()])

    async def _answer(self, batch: list[_Job]) -> None:
        if not batch:
            return
        started = time.perf_counter()
        pixels = np.stack([job.pixels for job in batch])
        try:
            outputs = await asyncio.get_running_loop().run_in_executor(self._executor, self._run, pixels)
        except Exception as error:  # this batch fails with the session's error; the next one is tried again
            for job in batch:
                if not job.answer.done():
                    job.answer.set_exception(error)
            return
        self._last_batch_s = taken = time.perf_counter() - started
        self._on_batch([started - job.queued for job in batch], taken)
        for row, job in enumerate(batch):
            if not job.answer.done():
                job.answer.set_result(Answered(outputs.rows(row, row + 1), started - job.queued, taken, len(batch)))
