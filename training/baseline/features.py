"""A frozen network and images in, the features of each out: from the cache, or computed in batches that are kept."""

from collections.abc import Sequence

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


def compute_features(network: Network, examples: Sequence[Example]) -> NDArray[np.float64]:
    """The features of all images, [N, F]: the pooled ones of a trained network, every stage's of an untrained one.

    What was computed before an interruption is kept. Raises `DataError`.
    """
    cache = FeatureCache(cache_folder() / FOLDER, identify(network))
    try:
        found = cache.get([example.sha256 for example in examples])
        left = list({example.sha256: example for example in examples if example.sha256 not in found}.values())
        batches = EvaluationBatches(
            network.spec, batch=BATCH, workers=default_workers(network.device), memory=Memory(left=0)
        )
        describe = pooled_features if network.trained else describe_images
        parts = [left[at : at + BATCH] for at in range(0, len(left), BATCH)]
        for part in track(parts, description="Features", transient=True, disable=not parts):
            features = describe(network.model, batches.of(part), network.device).astype(np.float32)
            new = {example.sha256: row for example, row in zip(part, features, strict=True)}
            cache.add(new)
            found.update(new)
    except KeyboardInterrupt as stopped:
        raise type(stopped)(f"the features of {counted(len(found), 'image')} are kept for the next time") from None
    finally:
        cache.close()
    return np.stack([found[example.sha256] for example in examples]).astype(np.float64)
