"""Loads a bundle and checks that the model gives the right answers on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract import Manifest, Prediction, top_k
from contract.golden import replay
from contract.graph import Outputs
from contract.manifest import ONNX_FILE
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


def load_model(folder: Path, provider: str = "cpu", threads: int = 0, batches: Sequence[int] = (1,)) -> Model:
    """Verify the bundle's hashes, load its graph, warm up every batch size in `batches`, and replay its golden files.

    Raises `ManifestError`, `ProviderError` or `GoldenError`. A model that is returned answers like the trained model.
    """
    manifest = Manifest.read(folder)
    manifest.verify_files(folder)
    session = Session((folder / ONNX_FILE).read_bytes(), provider, threads)
    size = manifest.image.size
    for batch in sorted(batches, reverse=True):
        session.run(np.zeros((batch, size, size, 3), np.uint8))
    worst = replay(folder, manifest.image, lambda pixels: session.run(pixels).logits)
    return Model(manifest=manifest, session=session, golden_disagreement=worst)
