"""The same code in process: how many images a second no server around it can exceed on this machine."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.load.corpus import read_corpus
from contract import preprocess
from runtime import Model

Pixels = NDArray[np.uint8]


def ceiling(model: Model, corpus: Path, batch: int, seconds: float) -> float:
    """Images/s of decoding and running the corpus in batches; the next batch is decoded while one runs."""
    files = [(corpus / entry.file).read_bytes() for entry in read_corpus(corpus)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        _run(model, pool, files, batch, seconds / 4)  # warms
        return _run(model, pool, files, batch, seconds)


def _run(model: Model, pool: ThreadPoolExecutor, files: Sequence[bytes], batch: int, seconds: float) -> float:
    def submit(start: int) -> "list[Future[Pixels]]":
        chosen = [files[(start + offset) % len(files)] for offset in range(batch)]
        return [pool.submit(preprocess, data, model.manifest.image) for data in chosen]

    begin, done = time.perf_counter(), 0
    following = submit(0)
    while time.perf_counter() - begin < seconds or not done:
        current, following = following, submit(done + batch)
        model.run(np.stack([future.result() for future in current]))
        done += batch
    rate = done / (time.perf_counter() - begin)
    for future in following:
        future.result()
    return rate
