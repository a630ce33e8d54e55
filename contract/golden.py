"""Golden files: real images with known answers, run again on the execution provider that will serve.

`golden/logits.json` lists them: the file, the SHA-256 of its preprocessed pixels, and the trained model's logits.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.errors import UserError
from contract.graph import Outputs
from contract.image import ImageSpec, preprocess
from contract.manifest import GOLDEN_LOGITS_FILE

RTOL = 1e-3
ATOL = 1e-4


class GoldenError(UserError):
    """A golden file gives other logits on this machine than the trained model gave."""


@dataclass(frozen=True, kw_only=True)
class Golden:
    """One golden file: its path in the bundle, the SHA-256 of its pixels, and the expected logits, float32 [C]."""

    file: str
    pixels_sha256: str
    logits: NDArray[np.float32]


def read_golden(folder: Path) -> list[Golden]:
    """The golden files of the bundle in `folder`."""
    entries = json.loads((folder / GOLDEN_LOGITS_FILE).read_text(encoding="utf-8"))
    return [
        Golden(file=entry["file"], pixels_sha256=entry["pixels_sha256"], logits=np.array(entry["logits"], np.float32))
        for entry in entries
    ]


def pixels_sha256(pixels: NDArray[np.uint8]) -> str:
    """The SHA-256 of an image's pixels after decoding and resizing."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def disagreement(actual: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The largest difference as a share of the tolerance (ATOL + RTOL * |expected|). Up to 1 counts as equal."""
    tolerated = ATOL + RTOL * np.abs(expected)
    shares = np.abs(actual - expected) / tolerated
    return float(np.max(np.where(np.isfinite(shares), shares, np.inf)))


def replay(folder: Path, spec: ImageSpec, logits_of: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> float:
    """Run every golden file through `logits_of` and compare; returns the largest `disagreement`. Raises `GoldenError`.

    `logits_of` takes uint8 [1, H, W, 3] and returns float32 [1, C].
    """
    worst = 0.0
    for golden in read_golden(folder):
        pixels = preprocess((folder / golden.file).read_bytes(), spec)
        found = disagreement(logits_of(pixels[None])[0], golden.logits)
        if found > 1:
            raise GoldenError(_explain(golden, pixels, found))
        worst = max(worst, found)
    return worst


def replay_fast(
    folder: Path,
    spec: ImageSpec,
    outputs_of: Callable[[NDArray[np.uint8]], Outputs],
    expected_of: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    tolerated: float,
) -> float:
    """Run every golden file in a fast mode whose certificate allows differences of a probability up to `tolerated`.

    `outputs_of` takes uint8 [1, H, W, 3]; `expected_of` turns fp32 logits [C] into probabilities [C]. Returns the
    largest difference as a share of what is tolerated. Raises `GoldenError`.
    """
    worst = 0.0
    for golden in read_golden(folder):
        pixels = preprocess((folder / golden.file).read_bytes(), spec)
        differences = np.abs(outputs_of(pixels[None]).probabilities[0] - expected_of(golden.logits))
        found = float(np.max(np.where(np.isfinite(differences), differences, np.inf))) / tolerated
        if found > 1:
            raise GoldenError(
                f"the probabilities for {golden.file} differ from fp32's by {found * tolerated:.3g}, and the "
                f"certificate allows {tolerated:.3g}: this machine renders the mode differently; "
                "prove it here with make certify, or use PRECISION=fp32"
            )
        worst = max(worst, found)
    return worst


def _explain(golden: Golden, pixels: NDArray[np.uint8], found: float) -> str:
    same = pixels_sha256(pixels) == golden.pixels_sha256
    cause = (
        "the execution provider computes other values from the same pixels"
        if same
        else "the image is decoded to other pixels (is another version of Pillow installed?)"
    )
    return (
        f"the logits for {golden.file} differ from the trained model's by {found:.3g} times the tolerance: {cause}; "
        "install the pinned requirements, choose another PROVIDER, or export on this machine"
    )
