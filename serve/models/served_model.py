"""The way of a picture: bytes -> decoder -> batcher -> runner -> answer."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contract import ImageError, Manifest
from contract.graph import Outputs
from runtime import Model
from runtime.tuning import Tuning
from serve.models.answers import Answers
from serve.observability.metrics import ModelId, ServerMetrics
from serve.observability.statistics import Statistics
from serve.observability.timing import Timing
from serve.scheduling.admission import Admission
from serve.scheduling.batch_times import BatchTimes
from serve.scheduling.batcher import Batcher, Pixels
from serve.scheduling.decoder import DecodePool, Decoder
from serve.scheduling.executor import BatchExecutor


@dataclass(frozen=True, kw_only=True)
class SharedResources:
    """What all models share: threads that decode, lanes that compute, and the counters."""

    decoding: DecodePool
    executor: BatchExecutor
    metrics: ServerMetrics


class Mirror(Protocol):
    """Is shown what was answered."""

    def files(self, pictures: Sequence[bytes], results: Sequence[Outputs | ImageError]) -> None:
        """Picture files and their results."""

    def pixels(self, images: Sequence[Pixels], results: Sequence[Outputs]) -> None:
        """Pixels and their outputs."""


class ServedModel:
    """Answers for pictures with one model; `alone` is the same on all cores, for a picture while nobody else asks."""

    def __init__(
        self, model: Model, tuning: Tuning, shared: SharedResources, max_wait_s: float, alone: Model | None = None
    ) -> None:
        self.model, self.tuning = model, tuning
        self.id = ModelId(model.manifest.name, model.manifest.version)
        self.metrics, self.statistics = shared.metrics, Statistics()
        self.decoder = Decoder(model.manifest.image, shared.decoding, self._on_picture)
        run_alone = alone.run if alone else None
        self.batcher = Batcher(model.run, BatchTimes(tuning.batch_s), shared.executor, self._on_batch, run_alone)
        self.admission = Admission(self.decoder, self.batcher, max_wait_s)
        self.answers = Answers(model, shared.decoding.room)
        self.mirror: Mirror | None = None
        self._users, self._idle = 0, asyncio.Event()
        self._idle.set()

    @property
    def settings(self) -> tuple[Manifest, Tuning, Sequence[int]]:
        """What it is and how it runs: its manifest, the mode, batches at once and their threads, their sizes."""
        return self.model.manifest, self.tuning, self.batcher.times.buckets

    @property
    def mode(self) -> str:
        """The provider and the precision that it is run in."""
        return str(self.model.session.mode)

    def acquire(self) -> None:
        """One more uses it: it answers until it is released."""
        self._users += 1
        self._idle.clear()

    def release(self) -> None:
        """One less."""
        self._users -= 1
        if not self._users:
            self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until nobody uses it."""
        await self._idle.wait()

    def _on_picture(self, decode_s: float) -> None:
        self.metrics.stages.labels(*self.id, "decode").observe(decode_s)
        self.statistics.compute_input.add(decode_s)

    def _on_batch(self, waits_s: Sequence[float], inference_s: float) -> None:
        self.metrics.on_batch(self.id, waits_s, inference_s)
        self.statistics.on_batch(waits_s, inference_s)

    async def run_files(self, pictures: Sequence[bytes], deadline: float, timing: Timing) -> list[Outputs | ImageError]:
        """For each image file its outputs (N = 1), or what is wrong with it: a bad one fails alone.

        `timing` takes the stages. Raises `RequestError` 429 when the wait would be too long, and 504 when an answer
        can't be there by `deadline`, a moment of `time.perf_counter`.
        """
        self.admission.check(deadline, len(pictures))  # before any of them costs its decoding
        started = time.perf_counter()
        try:
            decoded = await self.decoder.decode(pictures)
        finally:
            timing.note_decoding(started)
        good_ones = [pixels for pixels in decoded if not isinstance(pixels, ImageError)]
        outputs = iter(await self._run(good_ones, deadline, timing))
        results = [item if isinstance(item, ImageError) else next(outputs) for item in decoded]
        if self.mirror:
            self.mirror.files(pictures, results)
        return results

    async def run_pixels(self, images: Sequence[Pixels], deadline: float, timing: Timing) -> list[Outputs]:
        """For each image, uint8 [H, W, 3] as `contract.preprocess` gives it, its outputs.

        Raises as `run_files` does.
        """
        self.admission.check(deadline, len(images))
        results = await self._run(images, deadline, timing)
        if self.mirror:
            self.mirror.pixels(images, results)
        return results

    async def _run(self, images: Sequence[Pixels], deadline: float, timing: Timing) -> list[Outputs]:
        waiting, started = self.batcher.submit(images, deadline), time.perf_counter()
        try:
            answered = await asyncio.gather(*waiting)
        except BaseException:
            timing.note_waiting(started)
            raise
        finally:
            for image in waiting:  # after a failure nobody waits for the rest
                image.cancel()
        timing.note(answered)
        return [entry.outputs for entry in answered]
