"""Loads a bundle and checks that the model gives the right answers on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract import Manifest, Prediction, top_k
from contract.golden import replay, replay_fast
from contract.graph import Outputs
from runtime.modes import (
    REFERENCE,
    Mode,
    WantedPrecision,
    WantedProvider,
    mode_for,
    require_admitted,
    require_here,
    tolerated_drift,
)
from runtime.session import Session


@dataclass(frozen=True, kw_only=True)
class Model:
    """A verified bundle, loaded into a session.

    `golden_disagreement` is the largest difference on the golden files, as a share of the tolerance.
    """

    manifest: Manifest
    session: Session
    golden_disagreement: float

    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        """Classify uint8 [N, H, W, 3] pixels from `contract.preprocess`."""
        return self.session.run(images_nhwc)

    def predictions(self, probabilities: NDArray[np.float32], k: int) -> list[Prediction]:
        """The `k` most probable classes of one image; `probabilities` is float32 [C]."""
        return top_k(probabilities, self.manifest.classes, k)


def load_model(
    folder: Path, mode: Mode = REFERENCE, threads: int = 0, batches: Sequence[int] = (1,), streams: int = 1
) -> Model:
    """Verify the bundle's hashes, load its graph, warm up every batch size in `batches`, and replay its golden files.

    `streams` batches may be run at once, each on `threads` threads (0: all cores).
    Raises `ManifestError`, `ProviderError` or `GoldenError`. A model that is returned answers like the trained model,
    or, in a fast mode, as its certificate says.
    """
    manifest = Manifest.read(folder)
    manifest.verify_files(folder)
    return open_model(folder, manifest, mode, threads, batches, streams)


def open_model(
    folder: Path,
    manifest: Manifest,
    mode: Mode = REFERENCE,
    threads: int = 0,
    batches: Sequence[int] = (1,),
    streams: int = 1,
) -> Model:
    """As `load_model`, for a bundle whose files were verified a moment ago; its graph is verified once more."""
    require_here(mode)
    require_admitted(mode, manifest)
    graph = manifest.read_file(folder, mode.file)
    session = Session(graph, mode, threads, streams=streams)
    size = manifest.image.size
    for batch in sorted(batches, reverse=True):
        session.run(np.zeros((batch, size, size, 3), np.uint8))
    worst = replay_golden(folder, manifest, mode, session)
    return Model(manifest=manifest, session=session, golden_disagreement=worst)


def open_bundle(folder: Path, provider: WantedProvider, precision: WantedPrecision, threads: int = 0) -> Model:
    """As `load_model`, in the mode that is wanted; where several are, in fp32. Raises its errors."""
    return load_model(folder, mode_for(Manifest.read(folder), provider, precision), threads)


def replay_golden(folder: Path, manifest: Manifest, mode: Mode, session: Session) -> float:
    """The largest difference on the golden files, as a share of the mode's tolerance. Raises `GoldenError`."""
    if not mode.is_fast:
        return replay(folder, manifest.image, lambda pixels: session.run(pixels).logits)
    tolerated = tolerated_drift(mode, manifest)
    return replay_fast(folder, manifest.image, session.run, manifest.probabilities, tolerated)
