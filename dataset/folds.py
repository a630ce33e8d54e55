"""Examples in, the fold of each out: whole clusters, each class spread over the folds as evenly as they allow."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from dataset.split_file import Example


def deal_folds(examples: Sequence[Example], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each example, 0 to `folds` - 1, int64 [N]; names and order make no difference."""
    order = sorted(range(len(examples)), key=lambda index: examples[index].sha256)
    targets = [examples[index].target for index in order]
    clusters = [-1 - index if examples[index].cluster is None else examples[index].cluster for index in order]
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    result = np.zeros(len(examples), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, held_out) in enumerate(dealer.split(targets, targets, clusters)):
            result[[order[place] for place in held_out]] = fold
    return result
