"""Image files as bytes in, pixels out: decoded in a pool of threads, off the event loop."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from contract import ImageError, ImageSpec, preprocess
from serve.batcher import Pixels

Result = TypeVar("Result")
# Of each new observation in the usual time of one picture.
WEIGHT = 0.1


class Decoder:
    """Prepares pictures as the model takes them; `on_picture(seconds)` hears of each."""

    def __init__(self, spec: ImageSpec, threads: int, on_picture: Callable[[float], object]) -> None:
        self._spec, self._threads, self._on_picture = spec, threads, on_picture
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._usual_s = 0.0
        self.pending = 0
        """Pictures that are being decoded or wait for it."""

    @property
    def wait_s(self) -> float:
        """How long a picture that comes now will wait until it is decoded."""
        return self.pending * self._usual_s / self._threads

    async def decode(self, pictures: Sequence[bytes]) -> list[Pixels | ImageError]:
        """For each picture its pixels, or what is wrong with it."""
        self.pending += len(pictures)
        try:
            return list(await asyncio.gather(*(self._decode(data) for data in pictures)))
        finally:
            self.pending -= len(pictures)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do other work that would keep the event loop."""
        self.pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self.pending -= 1

    async def _decode(self, data: bytes) -> Pixels | ImageError:
        prepared, seconds = await asyncio.get_running_loop().run_in_executor(self._pool, self._prepare, data)
        self._usual_s += WEIGHT * (seconds - self._usual_s) if self._usual_s else seconds
        self._on_picture(seconds)
        return prepared

    def _prepare(self, data: bytes) -> tuple[Pixels | ImageError, float]:
        started = time.perf_counter()
        try:
            prepared: Pixels | ImageError = preprocess(data, self._spec)
        except ImageError as error:
            prepared = error
        return prepared, time.perf_counter() - started
