"""Examples in, the fold of each out: whole clusters, each class spread over the folds as evenly as they allow."""

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from dataset.errors import DataError
from dataset.split_file import Example


def warnings_about_folds(examples: Sequence[Example], labels: Sequence[str], folds: int) -> list[str]:
    """What can't be learned or measured in every fold, as a class has too few objects."""
    objects: dict[int, set[int]] = {}
    for place, example in enumerate(examples):
        objects.setdefault(example.target, set()).add(-1 - place if example.cluster is None else example.cluster)
    once = [labels[target] for target in sorted(objects) if len(objects[target]) == 1]
    few = [labels[target] for target in sorted(objects) if 1 < len(objects[target]) < folds]
    told = []
    if once:
        shown = ", ".join(once)
        told.append(f"All images of {shown} show one object: no fold can learn the class and be asked for it too")
    if few:
        told.append(f"Not every one of the {folds} folds is asked for a class with fewer objects: {', '.join(few)}")
    return told


def check_folds(examples: Sequence[Example], folds: int) -> None:
    """Raises `DataError` where some fold would be left without images."""
    found = {(each.target, -1 - place if each.cluster is None else each.cluster) for place, each in enumerate(examples)}
    largest = max(Counter(target for target, _ in found).values())
    if largest < folds:
        raise DataError(
            f"there are {largest} objects in the largest class; expected at least {folds}, one for each fold: "
            "add images, or lower FOLDS"
        )


def deal_folds(examples: Sequence[Example], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each example, 0 to `folds` - 1, int64 [N]; names and order make no difference. Raises `DataError`."""
    check_folds(examples, folds)
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
