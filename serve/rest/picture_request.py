"""An HTTP request with pictures for a model: read, run and answered as long as its client waits."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from contract import ImageError
from contract.graph import Outputs
from contract.request_error import RequestError
from serve.dataplane import Admitted, DataPlane
from serve.deadline import Deadline
from serve.models.answers import raise_if_unreadable
from serve.models.served_model import ServedModel
from serve.rest.upload import read_body, read_images
from serve.scheduling.helper import Answer, Task
from serve.v2.types import InferQuery

TIMEOUT_HEADER = "X-Request-Timeout-Ms"
Result = TypeVar("Result")


@contextmanager
def admit(
    dataplane: DataPlane, request: Request, model: str | None, version: str | None = None
) -> Iterator["PictureRequest"]:
    """A request that has found its model. Raises as `DataPlane.admit`, and `RequestError` 422 for a senseless limit."""
    timing, asked_ms = request.scope["timing"], timeout_ms(request)
    deadline = Deadline.after(timing.started, dataplane.config.timeout_ms).within(asked_ms)
    with dataplane.admit(model, version, deadline, timing) as admitted:
        yield PictureRequest(request, admitted, dataplane, patient=asked_ms is None)


def timeout_ms(request: Request) -> int | None:
    """How long its client wants to wait, if that is said. Raises `RequestError` 422."""
    given = request.headers.get(TIMEOUT_HEADER)
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and int(given)):
        raise RequestError(
            422, "invalid_parameter", f"{TIMEOUT_HEADER} is not valid; expected whole milliseconds, at least 1"
        )
    return int(given)


class PictureRequest:
    """What every route for pictures does with a request before and after its own form."""

    def __init__(self, request: Request, admitted: Admitted, dataplane: DataPlane, *, patient: bool) -> None:
        """A `patient` client has not said how long it waits."""
        self.request, self.config = request, dataplane.config
        self._admitted, self._patient = admitted, patient

    @property
    def served(self) -> ServedModel:
        """The model."""
        return self._admitted.served

    async def read(self, most: int | None = None) -> list[bytes]:
        """The picture files of the request. Raises `RequestError`, `ClientDisconnect`."""
        pictures = await self._while_it_comes(read_images(self.request, self.config))
        if most is not None and len(pictures) > most:
            raise RequestError(422, "too_many_files", "this route takes one image; use /predict for several images")
        return pictures

    async def read_body(self) -> bytes:
        """The whole body. Raises `RequestError`, `ClientDisconnect`."""
        return await self._while_it_comes(read_body(self.request, self.config))

    async def run(self, pictures: Sequence[bytes]) -> list[Outputs | ImageError]:
        """The outputs (N = 1) of each, or what is wrong with it. Raises `RequestError`, `ClientDisconnect`."""
        return await self._while_awaited(self._admitted.run(pictures))

    async def run_one(self) -> tuple[bytes, Outputs]:
        """The request's one picture and its outputs. Raises as `read` and `run` do, and its `ImageError`."""
        pictures = await self.read(most=1)
        (result,) = await self.run(pictures)
        return pictures[0], raise_if_unreadable(result)

    async def infer(self, query: InferQuery) -> list[Outputs]:
        """The outputs of each picture of a V2 request. Raises as `run` does, and the `ImageError` of a bad file."""
        self._admitted.deadline = self._admitted.deadline.within(query.request.timeout_ms)
        return await self._while_awaited(self._admitted.infer(query))

    async def work(self, work: Callable[[], Result]) -> Result:
        """Do what would keep the event loop, while somebody waits for it. Raises `RequestError`, `ClientDisconnect`."""
        return await self._while_awaited(self._admitted.work(work))

    async def parse(self, task: Task, body: bytes, json_size: int, **arguments: Any) -> Answer:
        """What `task` reads from `body`, so many bytes of which are JSON, while somebody waits. Raises as `work` does.

        Much JSON is read in another process.
        """
        return await self._while_awaited(self._admitted.parse(task, body, json_size, **arguments))

    async def draw(self, data: bytes, draw: Callable[[], Result]) -> Result:
        """Draw on the picture `data`, while somebody waits for it. Raises as `work` does."""
        return await self._while_awaited(self._admitted.draw(data, draw))

    def hold(self, count: int) -> None:
        """So many bytes of its answer are held until that is sent. Raises `RequestError` 429."""
        self.request.scope["account"].take(count)

    async def _while_it_comes(self, reading: Coroutine[Any, Any, Result]) -> Result:
        """A slow line is the client's own time, unless it said how long it waits; the connection bounds its rate."""
        started, timing = time.perf_counter(), self._admitted.timing
        try:
            if not self._patient:
                async with self._admitted.deadline.kept():
                    return await reading
            return await reading
        finally:
            timing.read_s = time.perf_counter() - started
            if self._patient:
                self._admitted.deadline = self._admitted.deadline.later(timing.read_s)

    async def _while_awaited(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do `work` as long as its client waits; the request's body must have been read.

        Raises `ClientDisconnect`, after which nobody reads what is answered.
        """
        doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(self.request.receive())
        try:
            await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise ClientDisconnect
        finally:
            doing.cancel()
            leaving.cancel()
