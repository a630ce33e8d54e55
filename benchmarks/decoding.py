"""JPEG files in, milliseconds to decode and resize each by the rules of the image contract out, in turns.

`python -m benchmarks.decoding`: photos of usual sizes, by the earlier rule (1) and by the one of new models (2).
"""

import io
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image
from rich.console import Console
from rich.table import Table

from contract import ImageSpec, preprocess
from contract.console import run_command
from contract.image.spec import Decoding
from runtime.machine import processor

SIZES = {"256 px": (256, 256), "640x480": (640, 480), "1080p": (1920, 1080), "12 MP": (4000, 3000)}
RULES: tuple[Decoding, ...] = (1, 2)
QUALITY = 90


@dataclass(frozen=True, kw_only=True)
class DecodingBenchmark:
    """Measure decoding, one thread, for a model of 224 px."""

    photo: Path | None = None
    """A photo, which is brought to each size. Default: one that is drawn, with the grain of a camera."""
    size: int = 224
    """Side of the square that the model sees, in pixels."""
    rounds: int = 41
    """How often each file is decoded by each rule; the median counts."""


def measure(config: DecodingBenchmark) -> None:
    """Print a table."""
    table = Table("JPEG", *(f"rule {rule}, ms" for rule in RULES), "times as fast", box=None)
    for name, data in _files(config.photo).items():
        taken = _in_turns(data, config)
        table.add_row(name, *(f"{taken[rule]:.2f}" for rule in RULES), f"{taken[1] / taken[2]:.2f}")
    Console(soft_wrap=True, highlight=False).print(f"{processor()}, one thread, {config.size} px", table, sep="\n")


def _in_turns(data: bytes, config: DecodingBenchmark) -> Mapping[Decoding, float]:
    """Median milliseconds by rule."""
    specs = {rule: ImageSpec(size=config.size, resize=round(config.size * 1.035), decoding=rule) for rule in RULES}
    taken: dict[Decoding, list[float]] = {rule: [] for rule in RULES}
    for _ in range(config.rounds):
        for rule, spec in specs.items():
            started = time.perf_counter()
            preprocess(data, spec)
            taken[rule].append(1000 * (time.perf_counter() - started))
    return {rule: statistics.median(times) for rule, times in taken.items()}


def _files(photo: Path | None) -> dict[str, bytes]:
    picture = Image.open(photo).convert("RGB") if photo else _drawn()
    return {name: _encode(picture.resize(size, Image.Resampling.LANCZOS)) for name, size in SIZES.items()}


def _encode(picture: Image.Image) -> bytes:
    grain = np.random.default_rng(0).normal(0, 4, (picture.height, picture.width, 1))
    file = io.BytesIO()
    pixels = np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _drawn() -> Image.Image:
    """Patches of many sizes, as photos have them."""
    rng = np.random.default_rng(1)
    layers = [
        Image.fromarray(rng.integers(0, 256, (side * 3 // 4, side, 3), dtype=np.uint8)).resize((2000, 1500))
        for side in (8, 40, 200, 1000)
    ]
    picture = layers[0]
    for layer, share in zip(layers[1:], (0.4, 0.3, 0.15), strict=True):
        picture = Image.blend(picture, layer, share)
    return picture


if __name__ == "__main__":
    run_command(lambda: measure(tyro.cli(DecodingBenchmark)))
