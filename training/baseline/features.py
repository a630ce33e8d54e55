"""A frozen network and images in, the features of each out: from the cache, or computed in batches that are kept."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from contract.text import counted
from dataset.pictures.cache import cache_folder
from dataset.split_file import Example
from training.baseline.cache import FeatureCache, identify
from training.baseline.network import Network
from training.learning.engine import pooled_features
from training.learning.features import describe_images
from training.learning.loader import EvaluationBatches, default_workers
from training.learning.pictures import Memory

BATCH = 32
FOLDER = "features"

Floats = NDArray[np.float32]


def compute_features(network: Network, examples: Sequence[Example]) -> NDArray[np.float64]:
    """The features of all images, [N, F]: the pooled ones of a trained network, every stage's of an untrained one.

    What was computed before an interruption is kept. Raises `DataError`.
    """
    cache, found = _Kept(network), dict[str, Floats]()
    try:
        found.update(cache.get([example.sha256 for example in examples]))
        left = list({example.sha256: example for example in examples if example.sha256 not in found}.values())
        for part, features in _compute(network, left):
            new = {example.sha256: row for example, row in zip(part, features, strict=True)}
            cache.add(new)
            found.update(new)
    except KeyboardInterrupt as stopped:
        raise type(stopped)(cache.told(len(found))) from None
    finally:
        cache.close()
    return np.stack([found[example.sha256] for example in examples]).astype(np.float64)


def _compute(network: Network, examples: Sequence[Example]) -> Iterator[tuple[Sequence[Example], Floats]]:
    """The features of the images, batch by batch."""
    batches = EvaluationBatches(
        network.spec, batch=BATCH, workers=default_workers(network.device), memory=Memory(left=0)
    )
    describe = pooled_features if network.trained else describe_images
    parts = [examples[at : at + BATCH] for at in range(0, len(examples), BATCH)]
    for part in track(parts, description="Features", transient=True, disable=not parts):
        yield part, describe(network.model, batches.of(part), network.device).astype(np.float32)


class _Kept:
    """The cache, or nothing with a warning where it can't be had: features are then computed each time."""

    def __init__(self, network: Network) -> None:
        self._cache: FeatureCache | None = None
        with self._tolerant():
            self._cache = FeatureCache(cache_folder() / FOLDER, identify(network))

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            print(f"warning: {cache_folder() / FOLDER} can't be used as a cache ({error}); features are not kept")
            self.close()

    def get(self, hashes: Sequence[str]) -> dict[str, Floats]:
        """The features of those of these images that were kept."""
        found: dict[str, Floats] = {}
        if self._cache:
            with self._tolerant():
                found = self._cache.get(hashes)
        return found

    def add(self, features: Mapping[str, Floats]) -> None:
        """Keep these too, if that is possible."""
        if self._cache:
            with self._tolerant():
                self._cache.add(features)

    def told(self, images: int) -> str:
        """What an interruption has left."""
        return f"the features of {counted(images, 'image')} are kept for the next time" if self._cache else ""

    def close(self) -> None:
        """Close the file."""
        if self._cache:
            self._cache.close()
        self._cache = None
