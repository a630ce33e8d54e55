"""The way of a picture: bytes -> decode pool -> batcher -> session -> answer."""

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract import ImageError, Prediction, preprocess
from contract.graph import Outputs
from runtime import Model
from serve.batcher import Batcher
from serve.config import ServeConfig
from serve.metrics import ServerMetrics
from serve.timing import Timing

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class ImageAnswer:
    """The answer for one picture."""

    model: str
    version: str
    predictions: list[Prediction]


class Service:
    """Answers for pictures with one model."""

    def __init__(self, model: Model, config: ServeConfig) -> None:
        manifest = model.manifest
        self.model, self.name, self.version = model, manifest.name, manifest.version
        self.metrics = ServerMetrics(self.name, self.version)
        self.batcher = Batcher(
            model.run,
            max_batch=min(config.max_batch, manifest.max_batch),
            max_waiting=config.max_waiting,
            on_batch=self.metrics.on_batch,
        )
        self.metrics.waiting.set_function(lambda: self.batcher.waiting)
        self._decoders = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")

    async def answer(self, pictures: Sequence[bytes], k: int, timing: Timing) -> list[ImageAnswer | ImageError]:
        """For each image file the `k` best classes, or what is wrong with it: a bad one fails alone.

        `timing` takes the stages. Raises `RequestError` 429 when the queue is full.
        """
        self.batcher.require_room(len(pictures))  # before any of them costs its decoding
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        decoded = await asyncio.gather(*(loop.run_in_executor(self._decoders, self._decode, data) for data in pictures))
        decode_s = time.perf_counter() - started
        good = [pixels for pixels in decoded if not isinstance(pixels, ImageError)]
        answered = await asyncio.gather(*self.batcher.submit(good))
        timing.note(decode_s, answered)
        outputs = iter(entry.outputs for entry in answered)
        return [item if isinstance(item, ImageError) else self._name(next(outputs), k) for item in decoded]

    def _name(self, outputs: Outputs, k: int) -> ImageAnswer:
        predictions = self.model.predictions(outputs.probabilities[0], k)
        return ImageAnswer(model=self.name, version=self.version, predictions=predictions)

    def _decode(self, data: bytes) -> Pixels | ImageError:
        started = time.perf_counter()
        try:
            return preprocess(data, self.model.manifest.image)
        except ImageError as error:
            return error
        finally:
            self.metrics.stages.labels("decode").observe(time.perf_counter() - started)
