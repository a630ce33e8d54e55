"""The way of a picture: bytes -> decoder -> batcher -> runner -> answer."""

import asyncio
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from contract import ImageError, Prediction, decode_image, upright_size
from contract.graph import Outputs
from runtime import Model
from runtime.annotate import JPEG_QUALITY, annotate
from runtime.machine import cores
from runtime.tuning import Tuning
from serve.admission import Admission
from serve.batch_times import BatchTimes
from serve.batcher import Batcher, Pixels
from serve.decoder import Decoder
from serve.metrics import ServerMetrics
from serve.statistics import Statistics
from serve.timing import Timing

EDGES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, kw_only=True)
class ImageAnswer:
    """The answer for one picture."""

    model: str
    version: str
    predictions: list[Prediction]
    activation_map: list[list[float]] | None = None
    """Where the model looked, if asked for: how much each place speaks for the best class, row after row."""
    view: dict[str, float] | None = None
    """The part of the picture that it saw: left, top, right, bottom, as shares of the upright width and height."""


class Service:
    """Answers for pictures with one model."""

    def __init__(self, model: Model, tuning: Tuning, max_wait_s: float) -> None:
        self.model, self.model_name, self.version = model, model.manifest.name, model.manifest.version
        self.metrics, self.statistics = ServerMetrics(self.model_name, self.version), Statistics()
        self.decoder = Decoder(model.manifest.image, cores(), self._on_picture)
        self.runners = tuning.runners
        self.batcher = Batcher(model.run, BatchTimes(tuning.batch_s), runners=tuning.runners, on_batch=self._on_batch)
        self.admission = Admission(self.decoder, self.batcher, max_wait_s)
        self.metrics.waiting.set_function(lambda: self.admission.waiting)
        self.metrics.wait_s.set_function(lambda: self.admission.wait_s)

    def _on_picture(self, decode_s: float) -> None:
        self.metrics.stages.labels("decode").observe(decode_s)
        self.statistics.compute_input.add(decode_s)

    def _on_batch(self, waits_s: Sequence[float], inference_s: float) -> None:
        self.metrics.on_batch(waits_s, inference_s)
        self.statistics.on_batch(waits_s, inference_s)

    async def run_files(self, pictures: Sequence[bytes], deadline: float, timing: Timing) -> list[Outputs | ImageError]:
        """For each image file its outputs (N = 1), or what is wrong with it: a bad one fails alone.

        `timing` takes the stages. Raises `RequestError` 429 when the wait would be too long, and 504 when an answer
        can't be there by `deadline`, a moment of `time.perf_counter`.
        """
        self.admission.check(deadline, len(pictures))  # before any of them costs its decoding
        started = time.perf_counter()
        decoded = await self.decoder.decode(pictures)
        timing.decode_s = time.perf_counter() - started
        good = [pixels for pixels in decoded if not isinstance(pixels, ImageError)]
        outputs = iter(await self.run_pixels(good, deadline, timing))
        return [item if isinstance(item, ImageError) else next(outputs) for item in decoded]

    async def run_pixels(self, images: Sequence[Pixels], deadline: float, timing: Timing) -> list[Outputs]:
        """For each image, uint8 [H, W, 3] as `contract.preprocess` gives it, its outputs.

        Raises as `run_files` does.
        """
        waiting = self.batcher.submit(images, deadline)
        try:
            answered = await asyncio.gather(*waiting)
        finally:
            for image in waiting:  # after a failure nobody waits for the rest
                image.cancel()
        timing.note(answered)
        return [entry.outputs for entry in answered]

    def name(self, outputs: Outputs, k: int) -> ImageAnswer:
        """The `k` best classes of one picture's outputs."""
        predictions = self.model.predictions(outputs.probabilities[0], k)
        return ImageAnswer(model=self.model_name, version=self.version, predictions=predictions)

    def explain(self, data: bytes, outputs: Outputs, k: int) -> ImageAnswer:
        """The same, and where in the picture `data` the model looked."""
        answer = self.name(outputs, k)
        rows = outputs.activation_map[0, answer.predictions[0].index].tolist()
        view = self.model.manifest.image.view_shares(*upright_size(data))
        return replace(answer, activation_map=rows, view=dict(zip(EDGES, view, strict=True)))

    def draw(self, data: bytes, outputs: Outputs, k: int) -> bytes:
        """The picture `data` with its answer drawn over and under it, as a JPEG file."""
        predictions = self.name(outputs, k).predictions
        activation = outputs.activation_map[0, predictions[0].index]
        file = io.BytesIO()
        picture = annotate(decode_image(data), predictions, activation, self.model.manifest.image)
        picture.save(file, "JPEG", quality=JPEG_QUALITY)
        return file.getvalue()
