"""One way to run a model in, images/s and the latency of a picture out: decoding and session, without a server."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from contract import preprocess
from runtime import Mode, Model


@dataclass(frozen=True, kw_only=True)
class Way:
    """`runners` batches at once of up to `batch` images, each on `threads` threads, in a mode."""

    mode: Mode
    runners: int
    threads: int
    batch: int

    @property
    def told(self) -> str:
        """In words."""
        return f"{self.runners} x {self.batch} images on {self.threads} threads"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a way gave: images per second, and milliseconds from a picture's bytes to its answer."""

    way: Way
    images_s: float
    p50_ms: float
    p99_ms: float


def measure(model: Model, way: Way, files: Sequence[bytes], seconds: float) -> Trial:
    """As many pictures are under way as all runners take; each is decoded in the thread that runs it."""
    with ThreadPoolExecutor(way.runners) as pool:
        list(pool.map(lambda number: _loop(model, way, files, number, 0.0), range(way.runners)))  # warms
        started = time.perf_counter()
        parts = list(pool.map(lambda number: _loop(model, way, files, number, seconds), range(way.runners)))
        taken = time.perf_counter() - started
    latencies = np.concatenate([np.array(part) for part in parts])
    p50, p99 = 1000 * np.quantile(latencies, [0.5, 0.99])
    return Trial(way=way, images_s=len(latencies) * way.batch / taken, p50_ms=float(p50), p99_ms=float(p99))


def _loop(model: Model, way: Way, files: Sequence[bytes], number: int, seconds: float) -> list[float]:
    """Seconds of each batch, for so many seconds and at least one batch."""
    latencies: list[float] = []
    begin, place = time.perf_counter(), number * way.batch
    while not latencies or time.perf_counter() - begin < seconds:
        started = time.perf_counter()
        chosen = [files[(place + offset) % len(files)] for offset in range(way.batch)]
        model.run(np.stack([preprocess(data, model.manifest.image) for data in chosen]))
        latencies.append(time.perf_counter() - started)
        place += way.batch
    return latencies
