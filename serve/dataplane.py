"""A request with pictures in, what a model says to each of them out; refused as early as that is known."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from fastapi import Request

from contract import ImageError
from contract.graph import Outputs
from contract.request_error import RequestError
from serve.budget import BodyBudget
from serve.config import ServeConfig
from serve.deadline import deadline_of, while_awaited
from serve.models.registry import ModelRegistry
from serve.models.served_model import ServedModel, raise_if_unreadable
from serve.observability.timing import Timing
from serve.rest.upload import read_images
from serve.v2.codec import InferQuery

Result = TypeVar("Result")


class DataPlane:
    """Where every route for pictures sends its requests."""

    def __init__(self, registry: ModelRegistry, config: ServeConfig) -> None:
        self.registry, self.config = registry, config
        self.bodies = BodyBudget(config.max_bodies_bytes)

    def refusal(self, timing: Timing) -> RequestError | None:
        """429 while there is too much to do, where a request need not be looked at to know for which model."""
        served_models = self.registry.served_models
        if len(served_models) != 1:
            return None
        timing.model = served_models[0].id
        return served_models[0].admission.refusal()

    @contextmanager
    def visit(self, request: Request, model: str | None, version: str | None = None) -> Iterator["PictureRequest"]:
        """A request's stay with a model, which answers until the request has left, even if another takes its place.

        Refused before the body is read. Raises `RequestError` 404, 422, 429 or 504.
        """
        with self.stay(request.scope["timing"], model, version) as served:
            served.admission.check(deadline_of(request, self.config.timeout_ms))
            yield PictureRequest(request, served, self.config)

    @contextmanager
    def stay(self, timing: Timing, model: str | None, version: str | None = None) -> Iterator[ServedModel]:
        """The service that a request over any protocol has found, until the request has left.

        Raises `RequestError` 404 or 422.
        """
        served = self.registry.find(model, version)
        timing.model = served.id
        served.acquire()
        try:
            yield served
        finally:
            served.release()


class PictureRequest:
    """What every route for pictures does with a request before and after its own form.

    A request's time begins when its body is here: a slow line is the client's, and `network/connection.py` bounds it.
    """

    def __init__(self, request: Request, served: ServedModel, config: ServeConfig) -> None:
        self.request, self.served, self.config = request, served, config
        self._timing: Timing = request.scope["timing"]

    async def read(self, most: int | None = None) -> list[bytes]:
        """The picture files of the request. Raises `RequestError`, `ClientDisconnect`."""
        pictures = await read_images(self.request, self.config)
        if most is not None and len(pictures) > most:
            raise RequestError(422, "too_many_files", "this route takes one image; use /predict for several images")
        return pictures

    async def run(self, pictures: Sequence[bytes]) -> list[Outputs | ImageError]:
        """The outputs (N = 1) of each, or what is wrong with it. Raises `RequestError`, `ClientDisconnect`."""
        deadline = deadline_of(self.request, self.config.timeout_ms)
        return await while_awaited(self.request, deadline, self.served.run_files(pictures, deadline, self._timing))

    async def run_one(self) -> tuple[bytes, Outputs]:
        """The request's one picture and its outputs. Raises as `read` and `run` do, and its `ImageError`."""
        pictures = await self.read(most=1)
        (result,) = await self.run(pictures)
        return pictures[0], raise_if_unreadable(result)

    async def infer(self, query: InferQuery) -> list[Outputs]:
        """The outputs of each picture of a V2 request. Raises as `run` does, and the `ImageError` of a bad file."""
        deadline = deadline_of(self.request, self.config.timeout_ms, query.request.timeout_ms)
        return await while_awaited(self.request, deadline, self.served.infer(query, deadline, self._timing))

    async def work(self, work: Callable[[], Result]) -> Result:
        """Do what would keep the event loop, while somebody waits for it. Raises `RequestError`, `ClientDisconnect`."""
        deadline = deadline_of(self.request, self.config.timeout_ms)
        return await while_awaited(self.request, deadline, self.served.decoder.pool.run(work))
