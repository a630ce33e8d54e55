"""Image files as bytes in, pixels out: decoded in a pool of threads, off the event loop."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from contract import ImageError, ImageSpec, preprocess
from serve.scheduling.batcher import Pixels

Result = TypeVar("Result")
# Of each new observation in the usual time of one picture.
WEIGHT = 0.1


class DecodePool:
    """The threads that all models share, and how far behind they are."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._usual_s = 0.0
        self._pending = 0

    @property
    def wait_s(self) -> float:
        """How long a picture that comes now will wait until it is decoded."""
        return self._pending * self._usual_s / self._threads

    def observe(self, seconds: float) -> None:
        """Learn how long a picture takes."""
        self._usual_s += WEIGHT * (seconds - self._usual_s) if self._usual_s else seconds

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do what would keep the event loop."""
        (done,) = await self.run_all([work])
        return done

    async def run_all(self, works: Sequence[Callable[[], Result]]) -> list[Result]:
        """The same for several; all count as waiting from now on."""
        loop = asyncio.get_running_loop()
        self._pending += len(works)
        try:
            return list(await asyncio.gather(*(loop.run_in_executor(self._pool, work) for work in works)))
        finally:
            self._pending -= len(works)


class Decoder:
    """Prepares pictures as one model takes them; `on_picture(seconds)` hears of each."""

    def __init__(self, spec: ImageSpec, pool: DecodePool, on_picture: Callable[[float], object]) -> None:
        self._spec, self.pool, self._on_picture = spec, pool, on_picture
        self.pending = 0
        """This model's pictures that are being decoded or wait for it."""

    async def decode(self, pictures: Sequence[bytes]) -> list[Pixels | ImageError]:
        """For each picture its pixels, or what is wrong with it."""
        self.pending += len(pictures)
        try:
            prepared = await self.pool.run_all([partial(self._prepare, data) for data in pictures])
        finally:
            self.pending -= len(pictures)
        for _, seconds in prepared:
            self.pool.observe(seconds)
            self._on_picture(seconds)
        return [pixels for pixels, _ in prepared]

    def _prepare(self, data: bytes) -> tuple[Pixels | ImageError, float]:
        started = time.perf_counter()
        try:
            prepared: Pixels | ImageError = preprocess(data, self._spec)
        except ImageError as error:
            prepared = error
        return prepared, time.perf_counter() - started
