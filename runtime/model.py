"""A bundle's folder in, a model that has proven itself on this machine out."""

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
    """A verified bundle on a running session. `golden_disagreement` is the replay's, as a share of the tolerance."""

    manifest: Manifest
    session: Session
    golden_disagreement: float

    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        """Answers for uint8 [N, H, W, 3] pixels prepared by `contract.preprocess`."""
        return self.session.run(images_nhwc)

    def predictions(self, probabilities: NDArray[np.float32], k: int) -> list[Prediction]:
        """The `k` best classes for one image's probabilities, float32 [C]."""
        return top_k(probabilities, self.manifest.classes, k)


def load_model(folder: Path, provider: str = "cpu", threads: int = 0, batches: Sequence[int] = (1,)) -> Model:
    """Verify the bundle's hashes, load its graph, run each size of `batches` once, and replay its golden files.

    Raises `ManifestError`, `ProviderError` or `GoldenError`; a model that is returned answers as the trained one.
    """
    manifest = Manifest.read(folder)
    manifest.verify_files(folder)
    session = Session((folder / ONNX_FILE).read_bytes(), provider, threads)
    size = manifest.image.size
    for batch in sorted(batches, reverse=True):
        session.run(np.zeros((batch, size, size, 3), np.uint8))
    worst = replay(folder, manifest.image, lambda pixels: session.run(pixels).logits)
    return Model(manifest=manifest, session=session, golden_disagreement=worst)
