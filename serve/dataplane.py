"""A request for a model in, what the model says out: found, admitted and run until its deadline, in any protocol."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from contract import ImageError
from contract.graph import Outputs
from contract.request_error import RequestError
from serve.config import ServeConfig
from serve.deadline import Deadline
from serve.models.answers import raise_if_unreadable
from serve.models.registry import ModelRegistry
from serve.models.served_model import ServedModel
from serve.observability.record import Recorder, RequestListener
from serve.observability.timing import Timing
from serve.scheduling.helper import Answer, Helper, Task
from serve.v2.types import InferQuery

Result = TypeVar("Result")
LARGE_JSON = 2_000_000
"""From so many bytes on, JSON is parsed in another process."""


class DataPlane:
    """Where the routes and calls of every protocol send what is to be classified."""

    def __init__(self, registry: ModelRegistry, config: ServeConfig, listeners: Sequence[RequestListener] = ()) -> None:
        self.registry, self.config = registry, config
        self.recorder = Recorder(registry.loader.metrics, listeners)
        self.memory, self.helper = registry.loader.memory, Helper()

    @property
    def is_refusing(self) -> bool:
        """Whether there is too much to do for whatever comes now."""
        served_models = self.registry.served_models
        return len(served_models) == 1 and served_models[0].admission.is_refusing

    @property
    def is_crowded(self) -> bool:
        """Whether there is too much to do for one of the models."""
        return any(served.admission.is_refusing for served in self.registry.served_models)

    def refusal(self, timing: Timing) -> RequestError | None:
        """429 while there is too much to do, where a request need not be looked at to know for which model."""
        served_models = self.registry.served_models
        if len(served_models) != 1:
            return None
        timing.find(served_models[0].id, served_models[0].statistics, served_models[0].mode)
        return served_models[0].admission.refusal()

    @contextmanager
    def admit(self, model: str | None, version: str | None, deadline: Deadline, timing: Timing) -> Iterator["Admitted"]:
        """A request that has found its model, which answers until the request has left, even if another takes its
        place. `timing` takes the stages.

        Refused before the body is read. Raises `RequestError` 404, 422, 429 or 504.
        """
        served = self.registry.find(model, version)
        timing.find(served.id, served.statistics, served.mode)
        served.acquire()
        try:
            served.admission.check(deadline.at)
            yield Admitted(served, deadline, timing, self.helper)
        finally:
            served.release()


@dataclass
class Admitted:
    """A request with its model. Raises `RequestError` 504 from the deadline on; whoever holds it may move that."""

    served: ServedModel
    deadline: Deadline
    timing: Timing
    helper: Helper

    async def run(self, pictures: Sequence[bytes]) -> list[Outputs | ImageError]:
        """The outputs (N = 1) of each picture file, or what is wrong with it. Raises `RequestError`."""
        async with self.deadline.kept():
            return await self.served.run_files(pictures, self.deadline.at, self.timing)

    async def infer(self, query: InferQuery) -> list[Outputs]:
        """The outputs of each picture of a V2 request. Raises as `run` does, and the `ImageError` of a bad file."""
        if query.pixels:
            async with self.deadline.kept():
                return await self.served.run_pixels(query.pixels, self.deadline.at, self.timing)
        results = await self.run(query.files)
        return [raise_if_unreadable(result, place, len(results)) for place, result in enumerate(results, 1)]

    async def work(self, work: Callable[[], Result]) -> Result:
        """Do what would keep the event loop. Raises `RequestError`."""
        async with self.deadline.kept():
            return await self.served.decoder.pool.run(work)

    async def parse(self, task: Task, body: bytes, json_size: int, **arguments: Any) -> Answer:
        """What `task` reads from `body`, so many bytes of which are JSON. Raises `RequestError`."""
        async with self.deadline.kept():
            if json_size > LARGE_JSON:
                return await self.helper.run(task, body, **arguments)
            return await self.served.decoder.pool.run(partial(task, body, **arguments))

    async def draw(self, data: bytes, draw: Callable[[], Result]) -> Result:
        """Draw on the picture `data`. Raises `RequestError`."""
        async with self.deadline.kept():
            return await self.served.decoder.draw(data, draw)
