"""Images from many requests in, batches to the runners out.

Work-conserving: a lone image starts at once; images gather only while every lane is busy. What can no longer be
answered in time is refused as soon as that is known. While nobody else asks, an image gets all cores.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract.graph import Outputs
from serve.errors import deadline_exceeded
from serve.scheduling.batch_times import BatchTimes
from serve.scheduling.executor import BatchExecutor

Pixels = NDArray[np.uint8]


class Answered(NamedTuple):
    """One image's outputs (N = 1), and how they came about."""

    outputs: Outputs
    queue_s: float
    inference_s: float
    batch: int
    """Images that were answered together."""


@dataclass(frozen=True, eq=False)
class _Job:
    pixels: Pixels
    deadline: float
    answer: "asyncio.Future[Answered]"
    queued: float = field(default_factory=time.perf_counter)


OnBatch = Callable[[Sequence[float], float], None]
Run = Callable[[Pixels], Outputs]
# So many seconds after two images were under way at once, the next ones are taken for a crowd's too: a session on all
# cores beside one on a single core would take from both.
CROWD_S = 0.5


class Batcher:
    """Feeds one model's `run` on the lanes; `on_batch(waits_s, inference_s)` hears of every batch.

    `run_alone`, where there is one, takes an image while no other is under way, on all cores. Deadlines are moments of
    `time.perf_counter`.
    """

    def __init__(
        self,
        run: Run,
        times: BatchTimes,
        executor: BatchExecutor,
        on_batch: OnBatch,
        run_alone: Run | None = None,
    ) -> None:
        self.times = times
        self._run, self._run_alone, self._executor, self._on_batch = run, run_alone, executor, on_batch
        self._crowded = -math.inf
        self._waiting: dict[_Job, None] = {}  # in the order they came; a dict, so that any can leave at once
        self._arrived = asyncio.Event()
        self._broken: SessionBrokenError | None = None
        executor.join(self)

    @property
    def waiting(self) -> int:
        """How many images wait."""
        return len(self._waiting)

    def wait_s(self, ahead: int) -> float:
        """How long an image will wait that comes after `ahead` others: until a lane is free and they are done."""
        batches = max(0, ahead // self.times.largest - max(0, self._executor.free - 1))
        others = self._executor.others(self)
        return self._executor.first_free_s + (others + batches * (1 + others)) * self._batch_s

    @property
    def image_s(self) -> float:
        """How long an image of a large batch holds back those behind it, where there are many of each model."""
        return (1 + self._executor.others(self)) * self._batch_s / self.times.largest

    @property
    def _batch_s(self) -> float:
        """How long a large batch holds back those behind it."""
        return self.times.seconds(self.times.largest) / self._executor.count

    def submit(self, images: Sequence[Pixels], deadline: float = math.inf) -> "list[asyncio.Future[Answered]]":
        """Queue images, uint8 [H, W, 3] each; each has a future of its own, which ends in `RequestError` 504 when late.

        An image whose future is cancelled leaves the queue. Raises `SessionBrokenError` once `work` has.
        """
        if self._broken:
            raise self._broken
        if self._waiting or self._executor.running or len(images) > 1:
            self._crowded = time.perf_counter()
        loop = asyncio.get_running_loop()
        jobs = [_Job(pixels, deadline, loop.create_future()) for pixels in images]
        for job in jobs:
            self._waiting[job] = None
            job.answer.add_done_callback(partial(self._leave, job))
        if jobs:
            self._arrived.set()
        return [job.answer for job in jobs]

    def _leave(self, job: _Job, _: "asyncio.Future[Answered]") -> None:
        self._waiting.pop(job, None)

    async def work(self) -> None:
        """Run batches until cancelled. Raises `SessionBrokenError` when the session answers nothing any more."""
        feeds = [asyncio.create_task(self._feed()) for _ in range(self._executor.count)]
        try:
            await asyncio.gather(*feeds)
        except SessionBrokenError as error:
            self._broken = error
            for job in self._waiting:
                _fail(job, error)
            raise
        finally:
            for feed in feeds:
                feed.cancel()

    async def _feed(self) -> None:
        """Keep one lane busy."""
        while True:
            await self._arrived.wait()
            async with self._executor.turn():
                if batch := self._take():
                    await self._answer(batch)

    def _take(self) -> list[_Job]:
        """The next batch: what waits, shared among the free lanes."""
        self._refuse_late()
        size = self.times.bucket(math.ceil(len(self._waiting) / self._executor.free))
        batch = [job for job, _ in zip(list(self._waiting), range(size), strict=False)]
        for job in batch:
            del self._waiting[job]
        if not self._waiting:
            self._arrived.clear()
        return batch

    def _refuse_late(self) -> None:
        """Drop who hung up, and end those who can't be answered in time."""
        now = time.perf_counter()
        alive = [job for job in self._waiting if not job.answer.done()]
        for place, job in enumerate(alive):
            ahead = place // self.times.largest * self._batch_s
            if now + ahead + self.times.fastest_s > job.deadline:
                job.answer.set_exception(deadline_exceeded())
        self._waiting = {job: None for job in alive if not job.answer.done()}

    async def _answer(self, batch: list[_Job]) -> None:
        started = time.perf_counter()
        alone = self._run_alone is not None and self._is_alone(batch)
        try:
            outputs = await self._run_batch(np.stack([job.pixels for job in batch]), alone=alone)
        except asyncio.CancelledError:  # another runner found the session broken
            for job in batch:
                _fail(job, SessionBrokenError("the model's session failed"))
            raise
        except Exception as error:  # this batch fails with the session's error; the next one is tried again
            for job in batch:
                _fail(job, error)
            await self._require_life(batch[0].pixels, error)
            return
        taken = time.perf_counter() - started
        if not alone:  # the times are those of the lanes
            self.times.observe(len(batch), taken)
        self._on_batch([started - job.queued for job in batch], taken)
        for row, job in enumerate(batch):
            if not job.answer.done():
                job.answer.set_result(Answered(outputs.rows(row, row + 1), started - job.queued, taken, len(batch)))

    def _is_alone(self, batch: Sequence[_Job]) -> bool:
        """Whether nobody else asks, and has not for a while."""
        calm = time.perf_counter() - self._crowded > CROWD_S
        return len(batch) == 1 and calm and not self._waiting and not self._executor.running

    async def _run_batch(self, pixels: Pixels, *, alone: bool = False) -> Outputs:
        run = self._run_alone if alone else self._run
        assert run is not None
        return await self._executor.run(partial(run, pixels), self.times.seconds(len(pixels)))

    async def _require_life(self, pixels: Pixels, error: Exception) -> None:
        """After a crash: run a black picture. Raises `SessionBrokenError` if the session can't do even that."""
        try:
            await self._run_batch(np.zeros_like(pixels)[None])
        except Exception as again:
            message = f"the model's session crashed ({error}), and crashed again on a black test image ({again})"
            raise SessionBrokenError(message) from again


def _fail(job: _Job, error: BaseException) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)


class SessionBrokenError(Exception):
    """The session can't be used any more; only a new process can mend that."""
