"""Image files as bytes in, pixels out: decoded in threads, off the event loop; large ones do not hold up the others."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

from contract import ImageError, ImageSpec, preprocess
from contract.image import Room, unlimited
from contract.image.opening import open_image
from contract.request_error import RequestError
from serve.scheduling.batcher import Pixels

Result = TypeVar("Result")
# Of each new observation in the usual time of one picture.
WEIGHT = 0.1
LARGE = 24_000_000
"""From so many bytes of memory on, a picture takes long to unfold."""
LONGEST_S = 5.0
"""So long at most a large picture waits for others."""


class Lane:
    """Threads with a queue, and how far behind they are."""

    def __init__(self, threads: int, name: str) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._usual_s = 0.0
        self._pending = 0

    @property
    def wait_s(self) -> float:
        """How long a picture that comes now will wait until its turn."""
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


class DecodePool:
    """The threads that all models share: many for what is quick, some for large pictures."""

    def __init__(self, threads: int, room: Room = unlimited) -> None:
        """What pictures unfold to is held only while there is `room`."""
        self.quick, self.large = Lane(threads, "decode"), Lane(max(1, threads // 2), "decode-large")
        self.room = room

    @property
    def wait_s(self) -> float:
        """How long a picture that comes now will wait, unless it is a large one."""
        return self.quick.wait_s

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do what would keep the event loop."""
        return await self.quick.run(work)

    async def run_large(self, work: Callable[[], Result]) -> Result:
        """The same for work on a large picture. Raises `RequestError` 429 if others are before it for long."""
        if (wait := self.large.wait_s) > LONGEST_S:
            retry = math.ceil(wait - LONGEST_S)
            message = f"many large images are being decoded; make this one smaller, or try again in {retry} s"
            raise RequestError(429, "overloaded", message, {"Retry-After": str(retry)})
        return await self.large.run(work)


class _TooLargeError(Exception):
    """A picture takes long to unfold."""


class Decoder:
    """Prepares pictures as one model takes them; `on_picture(seconds)` hears of each."""

    def __init__(self, spec: ImageSpec, pool: DecodePool, on_picture: Callable[[float], object]) -> None:
        self._spec, self.pool, self._on_picture = spec, pool, on_picture
        self.pending = 0
        """This model's pictures that are being decoded or wait for it."""

    async def decode(self, pictures: Sequence[bytes]) -> list[Pixels | ImageError]:
        """For each picture its pixels, or what is wrong with it. Raises `RequestError` 429."""
        self.pending += len(pictures)
        try:
            prepared = await self.pool.quick.run_all([partial(self._prepare, data, self._quick) for data in pictures])
            return [
                self._note(*entry) if entry else await self._decode_large(data)
                for data, entry in zip(pictures, prepared, strict=True)
            ]
        finally:
            self.pending -= len(pictures)

    async def _decode_large(self, data: bytes) -> Pixels | ImageError:
        prepared = await self.pool.run_large(partial(self._prepare, data, self.pool.room))
        assert prepared is not None
        return self._note(*prepared, lane=self.pool.large)

    def _note(self, pixels: Pixels | ImageError, seconds: float, lane: Lane | None = None) -> Pixels | ImageError:
        (lane or self.pool.quick).observe(seconds)
        self._on_picture(seconds)
        return pixels

    def _quick(self, count: int) -> AbstractContextManager[object]:
        """Room in the quick lane. Raises `_TooLargeError`."""
        if count > LARGE:
            raise _TooLargeError
        return self.pool.room(count)

    def _prepare(self, data: bytes, room: Room) -> tuple[Pixels | ImageError, float] | None:
        """What became of it and in how many seconds; None if it is not for the quick lane."""
        started = time.perf_counter()
        try:
            prepared: Pixels | ImageError = preprocess(data, self._spec, room)
        except _TooLargeError:
            return None
        except ImageError as error:
            prepared = error
        return prepared, time.perf_counter() - started

    async def draw(self, data: bytes, draw: Callable[[], Result]) -> Result:
        """Draw on the picture `data`. Raises `RequestError` 429."""
        is_large = open_image(data).memory(None) > LARGE
        return await (self.pool.run_large if is_large else self.pool.run)(draw)
