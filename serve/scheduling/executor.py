"""The machine's runners, which all models share: batches in, so many at once run, how long the next will wait out."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar
from weakref import WeakSet

Result = TypeVar("Result")


class Queue(Protocol):
    """Pictures of one model."""

    @property
    def waiting(self) -> int:
        """How many wait."""


class BatchExecutor:
    """So many batches run at once, whichever model they are of; the models that have work take turns."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._turn = asyncio.Semaphore(count)  # first come, first served
        self._due: list[float] = []  # when each running batch should be done
        self._queues: WeakSet[Queue] = WeakSet()
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="inference")

    def join(self, queue: Queue) -> None:
        """One more queue that takes its turns."""
        self._queues.add(queue)

    def others(self, queue: Queue) -> int:
        """How many other queues have work, so that a batch of this one waits for one of each of theirs."""
        return sum(other is not queue and other.waiting > 0 for other in self._queues)

    @property
    def running(self) -> int:
        """How many batches run now, of whichever model."""
        return len(self._due)

    @property
    def free(self) -> int:
        """How many more batches could run now."""
        return self.count - self.running

    @property
    def first_free_s(self) -> float:
        """In how many seconds the first lane will be free."""
        return 0.0 if self.free > 0 else max(0.0, min(self._due) - time.perf_counter())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a lane, and keep it."""
        async with self._turn:
            yield

    async def run(self, work: Callable[[], Result], seconds: float) -> Result:
        """Do `work` on the lane that is kept; it should take so many `seconds`."""
        due = time.perf_counter() + seconds
        self._due.append(due)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._due.remove(due)

    async def finish(self, seconds: float) -> bool:
        """Wait for the batches that are being run; whether they ended in that time."""
        end = time.perf_counter() + seconds
        while self._due and time.perf_counter() < end:
            await asyncio.sleep(0.05)
        return not self._due
