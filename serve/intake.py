"""A request with pictures in, what the model says to each of them out; refused as early as that is known."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from fastapi import Request

from contract import ImageError
from contract.graph import Outputs
from contract.request_error import RequestError
from serve.config import ServeConfig
from serve.deadline import deadline_of, while_awaited
from serve.inference_protocol import Query
from serve.service import Service
from serve.upload import read_images

Result = TypeVar("Result")


class Intake:
    """What every route for pictures does with a request before and after its own form.

    A request's time begins when its body is here: a slow line is the client's, and `connection.py` bounds it.
    """

    def __init__(self, service: Service, config: ServeConfig) -> None:
        self.service, self.config = service, config

    def check_early(self, request: Request) -> None:
        """Before the body is read. Raises `RequestError` 429 or 504."""
        self.service.admission.check(deadline_of(request, self.config.timeout_ms))

    async def read(self, request: Request, most: int | None = None) -> list[bytes]:
        """The picture files of a request. Raises `RequestError`, `ClientDisconnect`."""
        self.check_early(request)
        pictures = await read_images(request, self.config)
        if most is not None and len(pictures) > most:
            raise RequestError(422, "too_many_files", "this route answers for one picture; use /predict for several")
        return pictures

    async def run(self, request: Request, pictures: Sequence[bytes]) -> list[Outputs | ImageError]:
        """The outputs (N = 1) of each, or what is wrong with it. Raises `RequestError`, `ClientDisconnect`."""
        deadline = deadline_of(request, self.config.timeout_ms)
        work = self.service.run_files(pictures, deadline, request.scope["timing"])
        return await self._count(request, while_awaited(request, deadline, work))

    async def run_one(self, request: Request) -> tuple[bytes, Outputs]:
        """A request's one picture and its outputs. Raises as `read` and `run` do, and its `ImageError`."""
        pictures = await self.read(request, most=1)
        (result,) = await self.run(request, pictures)
        return pictures[0], _good(result)

    async def infer(self, request: Request, query: Query) -> list[Outputs]:
        """The outputs of each picture of a V2 request. Raises as `run` does, and the `ImageError` of a bad file."""
        deadline = deadline_of(request, self.config.timeout_ms, query.request.timeout_ms)
        timing = request.scope["timing"]
        if query.pixels:
            self.service.admission.check(deadline, len(query.pixels))
            work = self.service.run_pixels(query.pixels, deadline, timing)
            return await self._count(request, while_awaited(request, deadline, work))
        files = self.service.run_files(query.files, deadline, timing)
        results = await self._count(request, while_awaited(request, deadline, files))
        return [_good(result, place, len(results)) for place, result in enumerate(results, 1)]

    async def work(self, request: Request, work: Callable[[], Result]) -> Result:
        """Do what would keep the event loop, while somebody waits for it. Raises `RequestError`, `ClientDisconnect`."""
        deadline = deadline_of(request, self.config.timeout_ms)
        return await while_awaited(request, deadline, self.service.decoder.run(work))

    async def _count(self, request: Request, work: Coroutine[Any, Any, Result]) -> Result:
        """Note how it went, for the statistics."""
        counted = self.service.statistics.fail
        try:
            result = await work
            counted = self.service.statistics.success
            return result
        finally:
            counted.add(request.scope["timing"].total_s)


def _good(result: Outputs | ImageError, place: int = 1, count: int = 1) -> Outputs:
    """Where a request has one error as a whole, it says which picture it means."""
    if isinstance(result, ImageError):
        raise ImageError(result.code, f"picture {place} of {count}: {result}" if count > 1 else str(result))
    return result
