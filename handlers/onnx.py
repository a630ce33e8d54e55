"""Loads an ONNX file as a function from pixels to `Outputs`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.graph import Outputs
from runtime import Session


def open_onnx(path: Path, threads: int, gpu: int | None) -> Callable[[NDArray[np.uint8]], Outputs]:
    """Load `path` on the CPU with `threads` threads, or on CUDA device `gpu`. Raises `ProviderError`."""
    provider = "cpu" if gpu is None else "cuda"
    return Session(path.read_bytes(), provider, threads, gpu or 0).run
