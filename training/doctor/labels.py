"""Features and labels in, whether the one says anything about the other out: out of fold, against permuted labels.

The training loss can't tell, as networks learn any labels by heart (Zhang et al. 2017, arXiv 1611.03530).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.errors import DataError
from dataset.folds import deal_folds
from dataset.split_file import Example
from training.doctor.features import describe_images
from training.doctor.finding import Finding
from training.learning.trainer import Trainer, cluster_numbers

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_IMAGES = 1000
FOLDS = 5
PERMUTATIONS = 200
# Of the variance of the features, on the diagonal.
RIDGE = 0.1
SIGNIFICANT = 0.01
# So much of the way from chance to perfect is little, for features that were never trained on these images.
WEAK = 0.25


@dataclass(frozen=True, kw_only=True)
class Related:
    """How well labels are told from features: the mean recall, what it is by chance, and the test's p-value."""

    mean_recall: float
    chance: float
    p_value: float


def check_labels(trainer: Trainer) -> Finding:
    """Whether a linear model on frozen features answers better than on permuted labels."""
    images = [example for split in ("train", "val") for example in trainer.data.splits.get(split, [])]
    chosen = sorted(images, key=lambda example: example.sha256)[:MOST_IMAGES]
    try:
        found = relate(describe_images(trainer.model, trainer.held_out.of(chosen), trainer.step.device), chosen)
    except DataError as error:
        return Finding(check="labels", outcome="weak", sentence=f"they can't be tested: {error}")
    trained = "features of a network that was never trained" if trainer.config.weights == "none" else "trained features"
    figures = (
        f"{trained} give a mean recall of {found.mean_recall:.2f} on {len(chosen)} images, each held out once; "
        f"permuted labels give {found.chance:.2f} (p = {found.p_value:.3f})"
    )
    if found.p_value > SIGNIFICANT:
        cause = "Were they shuffled, or does the folder not match the table?"
        return Finding(
            check="labels", outcome="failed", sentence=f"nothing ties them to the images: {figures}. {cause}"
        )
    if found.mean_recall - found.chance < WEAK * (1 - found.chance):
        return Finding(check="labels", outcome="weak", sentence=f"they can be learned, but not easily: {figures}")
    return Finding(check="labels", outcome="passed", sentence=f"they can be learned: {figures}")


def relate(features: Floats, examples: Sequence[Example]) -> Related:
    """Ridge regression on features [N, F], out of fold by object, for the true labels and for 200 permutations.

    Permutations exchange the labels of whole objects. Raises `DataError` where there are too few objects.
    """
    targets = np.array([example.target for example in examples])
    folds = deal_folds(examples, FOLDS, seed=0)
    clusters = np.unique(cluster_numbers(examples), return_inverse=True)[1]
    rng = np.random.default_rng(0)
    columns = [targets, *(_permuted(targets, clusters, rng) for _ in range(PERMUTATIONS))]
    recalls = np.array(_recalls(_projections(features, folds), folds, columns))
    beaten = int((recalls[1:] >= recalls[0]).sum())
    return Related(
        mean_recall=float(recalls[0]),
        chance=float(recalls[1:].mean()),
        p_value=(1 + beaten) / (1 + PERMUTATIONS),
    )


def _permuted(targets: Ints, clusters: Ints, rng: np.random.Generator) -> Ints:
    """The labels of the objects in another order; each object has the label of its first image."""
    firsts = targets[np.unique(clusters, return_index=True)[1]]
    result: Ints = rng.permutation(firsts)[clusters]
    return result


def _projections(features: Floats, folds: Ints) -> list[Floats]:
    """For each fold, the matrix [held out, learned from] that turns labels into answers; it knows no labels."""
    found = []
    for fold in range(FOLDS):
        learned = folds != fold
        mean, scale = features[learned].mean(axis=0), features[learned].std(axis=0) + 1e-9
        scaled = (features - mean) / scale / np.sqrt(features.shape[1])
        inner = scaled[learned] @ scaled[learned].T
        found.append(scaled[~learned] @ scaled[learned].T @ np.linalg.inv(inner + RIDGE * np.eye(len(inner))))
    return found


def _recalls(projections: list[Floats], folds: Ints, columns: Sequence[Ints]) -> list[float]:
    classes = int(columns[0].max()) + 1
    return [_mean_recall(projections, folds, targets, classes) for targets in columns]


def _mean_recall(projections: list[Floats], folds: Ints, targets: Ints, classes: int) -> float:
    counts = np.maximum(np.bincount(targets, minlength=classes), 1)
    # Every class weighs alike, so that always answering the largest one gains nothing.
    coded = (np.eye(classes) - counts / counts.sum())[targets] / np.sqrt(counts)[targets][:, None]
    answered = np.empty(len(targets), np.int64)
    for fold, projection in enumerate(projections):
        answered[folds == fold] = (projection @ coded[folds != fold]).argmax(axis=1)
    asked = np.unique(targets)
    return float(np.mean([(answered[targets == target] == target).mean() for target in asked]))
