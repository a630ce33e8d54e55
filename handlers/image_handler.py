"""TorchServe's entry point: image files in, predictions with labels out, with an HTTP status for each request.

TorchServe searches this file for the handler class. With a second class in this file, no worker would start.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract import ImageError, Manifest, UserError
from contract.graph import Outputs
from handlers.answers import Found, answer
from handlers.context import Context
from handlers.engines import check_imports, cores_for, open_engine
from handlers.pictures import Picture, read_picture
from handlers.requests import Request, read_request

logger = logging.getLogger(__name__)


class ImageHandler:
    """Classifies batches of images with the archive's model, after its golden files agreed on this machine."""

    def initialize(self, context: Context) -> None:
        """Open the archive, warm up every batch size and replay the golden files.

        Raises `UserError`, and then the worker does not start.
        """
        try:
            worst = self._open(context)
        except UserError as error:
            logger.error("MODEL NOT LOADED: %s", error)
            raise
        name, version = self.manifest.name, self.manifest.version
        told = "%s, version %s, %s: golden files agree (%.1f %% of the tolerance)"
        logger.info(told, name, version, self.mode, 100 * worst)

    def _open(self, context: Context) -> float:
        folder = Path(context.system_properties["model_dir"])
        check_imports(folder)
        self.manifest = Manifest.read(folder)
        self.manifest.verify_files(folder)
        threads = cores_for(context.model_yaml_config)
        self._decoders = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        model_file = folder / context.manifest["model"]["serializedFile"]
        gpu = context.system_properties.get("gpu_id")
        engine = open_engine(model_file, self.manifest, context.model_yaml_config, threads, gpu)
        self.mode, self._run = engine.name, engine.run
        self._max_batch = min(int(context.system_properties.get("batch_size") or 1), self.manifest.max_batch)
        self._warm_up()
        return engine.prove()

    def _warm_up(self) -> None:
        """Run every batch size twice: TorchScript records the shapes in the first run and compiles in the second."""
        size = self.manifest.image.size
        for batch in range(self._max_batch, 0, -1):
            for _ in range(2):
                self._run(np.zeros((batch, size, size, 3), np.uint8))

    def handle(self, data: Sequence[Mapping[str, Any]], context: Context) -> list[bytes]:
        """One JSON body for each request of the batch, in order. A bad request does not affect the others."""
        started = perf_counter()
        requests, pictures = self.preprocess(data)
        decoded = perf_counter()
        found = self.inference(pictures)
        context.metrics.add_time("DecodeTime", 1000 * (decoded - started))
        context.metrics.add_time("InferenceTime", 1000 * (perf_counter() - decoded))
        context.metrics.add_counter("Batches", 1)
        context.metrics.add_counter("Pictures", len(found))
        return self.postprocess(requests, found, context)

    def preprocess(self, data: Sequence[Mapping[str, Any]]) -> tuple[list[Request], list[Picture | ImageError]]:
        """The requests of the batch, and the decoded images of all requests in one list."""
        requests = [read_request(parts) for parts in data]
        files = [file for request in requests for file in request.pictures]
        return requests, list(self._decoders.map(lambda file: read_picture(file, self.manifest.image), files))

    def inference(self, pictures: Sequence[Picture | ImageError]) -> list[Found | ImageError]:
        """The model's outputs for every image; an image that could not be read keeps its error."""
        pixels = [picture.pixels for picture in pictures if isinstance(picture, Picture)]
        batches = [pixels[start : start + self._max_batch] for start in range(0, len(pixels), self._max_batch)]
        rows = (row for batch in batches for row in _rows(self._run(np.stack(batch))))
        return [
            item if isinstance(item, ImageError) else Found(*next(rows), item.view)  # in the order of the images
            for item in pictures
        ]

    def postprocess(
        self, requests: Sequence[Request], found: Sequence[Found | ImageError], context: Context
    ) -> list[bytes]:
        """The answers as JSON bodies. The status and content type of each request are set in `context`."""
        remaining, bodies, refused = iter(found), [], 0
        for index, request in enumerate(requests):
            explain = context.get_request_header(index, "explain") == "True"
            own = list(islice(remaining, len(request.pictures)))
            status, body = answer(request, own, explain, self.manifest)
            context.set_response_status(status, HTTPStatus(status).phrase, index)
            context.set_response_content_type(index, "application/json")
            bodies.append(json.dumps(body, ensure_ascii=False, allow_nan=False).encode())
            refused += status != HTTPStatus.OK
        context.metrics.add_counter("RefusedRequests", refused)
        return bodies


def _rows(outputs: Outputs) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    return zip(outputs.probabilities, outputs.activation_map, strict=True)
