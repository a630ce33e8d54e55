"""Golden files: real images whose answers are known, replayed on the provider that will really serve.

`golden/logits.json` lists them: the file, the SHA-256 of its prepared pixels, and the trained model's logits.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.errors import UserError
from contract.image import ImageSpec, preprocess
from contract.manifest import GOLDEN_LOGITS_FILE

RTOL = 1e-3
ATOL = 1e-4


class GoldenError(UserError):
    """The machine does not answer as the trained model did."""


@dataclass(frozen=True, kw_only=True)
class Golden:
    """One golden file: its path in the bundle, the SHA-256 of its pixels, the float32 [C] logits it must give."""

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
    """The fingerprint of an image after decoding and resizing."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def disagreement(actual: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The largest difference as a share of what is tolerated (RTOL, ATOL): up to 1 is agreement."""
    tolerated = ATOL + RTOL * np.abs(expected)
    shares = np.abs(actual - expected) / tolerated
    return float(np.max(np.where(np.isfinite(shares), shares, np.inf)))


def replay(folder: Path, spec: ImageSpec, logits_of: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> float:
    """Answer every golden file and compare; returns the largest `disagreement`. Raises `GoldenError`.

    `logits_of` takes uint8 [1, H, W, 3] and gives float32 [1, C].
    """
    worst = 0.0
    for golden in read_golden(folder):
        pixels = preprocess((folder / golden.file).read_bytes(), spec)
        found = disagreement(logits_of(pixels[None])[0], golden.logits)
        if found > 1:
            raise GoldenError(_explain(golden, pixels, found))
        worst = max(worst, found)
    return worst


def _explain(golden: Golden, pixels: NDArray[np.uint8], found: float) -> str:
    same = pixels_sha256(pixels) == golden.pixels_sha256
    cause = "the provider computes differently" if same else "the image is decoded differently (Pillow's version?)"
    return (
        f"{golden.file} gives logits {found:.3g} times further from the trained model's than tolerated: {cause}; "
        "install the pinned requirements, choose another PROVIDER, or export on this machine"
    )
