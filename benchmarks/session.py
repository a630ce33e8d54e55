"""A bundle in, the ceiling of any server on this machine out: images/s of decoding and of the session, in process."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from contract import ImageSpec, preprocess
from contract.console import run_command
from contract.golden import read_golden
from runtime import open_bundle
from runtime.modes import WantedPrecision, WantedProvider


@dataclass(frozen=True, kw_only=True)
class SessionBenchmark:
    """Measure the throughput of decoding and of a bundle's session, without a server."""

    bundle: Path
    """Folder of the bundle."""
    provider: WantedProvider = "cpu"
    """What runs the model: cpu or openvino, or cuda or tensorrt for an NVIDIA GPU."""
    precision: WantedPrecision = "fp32"
    """fp32, or a faster one that the bundle has a certificate for."""
    threads: int = 0
    """Number of threads of the session. 0 uses all cores."""
    batches: tuple[int, ...] = (1, 2, 4, 8)
    """Batch sizes to measure."""
    seconds: float = 5
    """Duration of each of the three repeats, in seconds."""


def rate(step: Callable[[], object], images: int, seconds: float) -> float:
    """Images per second of `step`, which handles `images`: at least three steps and `seconds` of them."""
    step()
    started, steps = time.perf_counter(), 0
    while steps < 3 or time.perf_counter() - started < seconds:
        step()
        steps += 1
    return images * steps / (time.perf_counter() - started)


def measure(config: SessionBenchmark) -> None:
    """Print images/s, the median and the range of three repeats."""
    model = open_bundle(config.bundle, config.provider, config.precision, config.threads)
    spec = model.manifest.image
    files = [(config.bundle / golden.file).read_bytes() for golden in read_golden(config.bundle)]
    table = Table("images/s", "median", "lowest", "highest", box=None)
    _add_line(table, f"decode {len(files)} golden files, one thread", partial(_decode, files, spec), len(files), config)
    for batch in config.batches:
        pixels = np.random.default_rng(0).integers(0, 256, (batch, spec.size, spec.size, 3), dtype=np.uint8)
        _add_line(table, f"session, batch {batch}", partial(model.run, pixels), batch, config)
    console = Console(soft_wrap=True, highlight=False)
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    console.print(f"{model.manifest.architecture}, {spec.size} px, {model.session.mode}, {machine}", table, sep="\n")


def _decode(files: list[bytes], spec: ImageSpec) -> None:
    for data in files:
        preprocess(data, spec)


def _add_line(table: Table, name: str, step: Callable[[], object], images: int, config: SessionBenchmark) -> None:
    repeats = [rate(step, images, config.seconds) for _ in range(3)]
    table.add_row(name, *(f"{value:.1f}" for value in (statistics.median(repeats), min(repeats), max(repeats))))


if __name__ == "__main__":
    run_command(lambda: measure(tyro.cli(SessionBenchmark)))
