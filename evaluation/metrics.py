"""Answers in, figures out: accuracy beside chance, scores of each class, calibration; each with its interval."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from evaluation.answers import Answers
from evaluation.calibration import brier_scores, calibration_error, cross_entropy, losses
from evaluation.chance import compare_with_chance
from evaluation.intervals import (
    Floats,
    Interval,
    bca_interval,
    effective_size,
    resampled_totals,
    share_interval,
    sum_by_cluster,
    wilson_interval,
)


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """One class's figures; `recall` is also called sensitivity. `answered` counts the images classified as it.

    Intervals are Wilson's at 95 %, for the number of clusters.
    """

    label: str
    images: int
    answered: int
    precision: float
    recall: float
    recall_interval: Interval
    specificity: float
    specificity_interval: Interval
    f1: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """A split's figures, with 95 % intervals. `confusion` counts images by [true class][answered class].

    `majority` is the accuracy of always answering `majority_label`. Macro-F1 and balanced accuracy are means over the
    classes that have images. `calibration_error` and its two null values are None below 500 images.
    """

    images: int
    clusters: int
    accuracy: float
    accuracy_interval: Interval
    majority_label: str
    majority: float
    majority_interval: Interval
    chance_p_value: float
    better_than_chance: bool
    macro_f1: float
    macro_f1_interval: Interval
    balanced_accuracy: float
    balanced_accuracy_interval: Interval
    loss: float
    loss_interval: Interval
    brier: float
    brier_interval: Interval
    calibration_error: float | None
    calibration_error_if_honest: float | None
    calibration_error_if_honest_high: float | None
    per_class: list[ClassScore]
    confusion: list[list[int]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class EpochScores:
    """What is needed after each epoch, without intervals."""

    loss: float
    accuracy: float
    macro_f1: float


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """`images` of class `true` were classified as `answered`: the share `share` of that class's images."""

    true: str
    answered: str
    images: int
    share: float


def score(answers: Answers, labels: Sequence[str], temperature: float = 1.0, *, majority: int | None = None) -> Scores:
    """Every figure of one split, with probabilities = softmax(logits / temperature).

    `majority` is the index of the commonest class of the training images; left out, of these images.
    """
    targets, answered = answers.targets, answers.answered
    majority = int(np.bincount(targets).argmax()) if majority is None else majority
    chance = compare_with_chance(answers, majority)
    calibration = calibration_error(answers, temperature)
    return Scores(
        images=len(targets),
        clusters=int(answers.clusters.max()) + 1,
        accuracy=float((answered == targets).mean()),
        accuracy_interval=share_interval(answered == targets, answers.clusters),
        majority_label=labels[majority],
        majority=float((targets == majority).mean()),
        majority_interval=share_interval(targets == majority, answers.clusters),
        chance_p_value=chance.p_value,
        better_than_chance=chance.better,
        calibration_error=calibration.error if calibration else None,
        calibration_error_if_honest=calibration.if_honest if calibration else None,
        calibration_error_if_honest_high=calibration.if_honest_high if calibration else None,
        per_class=_per_class(answers, labels),
        confusion=confusion_matrix(targets, answered, labels=range(len(labels))).tolist(),
        **_means(answers, temperature),
    )


def score_epoch(answers: Answers) -> EpochScores:
    """The figures by which epochs are compared."""
    return EpochScores(
        loss=cross_entropy(answers),
        accuracy=float((answers.answered == answers.targets).mean()),
        macro_f1=float(_macro_f1(_class_counts(answers).sum(axis=0)[None, :])[0]),
    )


def _per_class(answers: Answers, labels: Sequence[str]) -> list[ClassScore]:
    targets, answered, clusters = answers.targets, answers.answered, answers.clusters
    precision, recall, f1, images = precision_recall_fscore_support(
        targets, answered, labels=range(len(labels)), zero_division=0
    )
    said = np.bincount(answered, minlength=len(labels))
    scores = []
    for index, label in enumerate(labels):
        true = targets == index
        rejected = answered[~true] != index
        scores.append(
            ClassScore(
                label=label,
                images=int(images[index]),
                answered=int(said[index]),
                precision=float(precision[index]),
                recall=float(recall[index]),
                recall_interval=share_interval(answered[true] == index, clusters[true]),
                specificity=float(rejected.mean()) if len(rejected) else 0.0,
                specificity_interval=share_interval(rejected, clusters[~true]),
                f1=float(f1[index]),
            )
        )
    return scores


def _means(answers: Answers, temperature: float) -> dict[str, Any]:
    """Macro-F1, balanced accuracy, log loss and Brier score, from one set of resampled clusters."""
    counts = _class_counts(answers)
    values = np.stack([losses(answers, temperature), brier_scores(answers, temperature)], axis=1)
    sizes = np.ones((len(values), 1))
    sums = sum_by_cluster(csr_array(hstack([counts, csr_array(np.hstack([values, sizes]))])), answers.clusters)
    totals, resampled = sums.sum(axis=0)[None, :], resampled_totals(sums)
    figures: dict[str, Any] = {}
    for column, name in ((-3, "loss"), (-2, "brier")):
        figures[name] = mean = float(totals[0, column] / totals[0, -1])
        influence = (sums[:, [column]] - mean * sums[:, [-1]]).toarray()[:, 0]
        figures[f"{name}_interval"] = bca_interval(mean, resampled[:, column] / resampled[:, -1], influence)
    balanced, macro_f1 = (float(mean(totals[:, :-3])[0]) for mean in (_balanced_accuracy, _macro_f1))
    size = _balanced_size(answers, balanced)
    return figures | {
        "balanced_accuracy": balanced,
        "balanced_accuracy_interval": wilson_interval(balanced * size, size),
        "macro_f1": macro_f1,
        "macro_f1_interval": _wider(
            bca_interval(macro_f1, _macro_f1(resampled[:, :-3]), _f1_influence(sums[:, :-3], totals[0, :-3])),
            wilson_interval(macro_f1 * size, size),
        ),
    }


def _wider(first: Interval, second: Interval) -> Interval:
    """From the lower of both to the higher: a bootstrap can't know of errors that these images don't show."""
    return min(first[0], second[0]), max(first[1], second[1])


def _class_counts(answers: Answers) -> csr_array:
    """Each image in columns [N, 3 C]: right answers, images and answers of each class."""
    count, classes = answers.logits.shape
    rows, right = np.arange(count), (answers.answered == answers.targets).astype(np.float64)
    return csr_array(
        (
            np.concatenate([right, np.ones(2 * count)]),
            (
                np.tile(rows, 3),
                np.concatenate([answers.targets, classes + answers.targets, 2 * classes + answers.answered]),
            ),
        ),
        shape=(count, 3 * classes),
    )


def _balanced_accuracy(totals: Floats) -> Floats:
    """Mean recall of the classes that have images, for totals [R, 3 C] of `_class_counts`."""
    right, images, _ = np.split(totals, 3, axis=1)
    return _mean_of_present(right / np.maximum(images, 1), images > 0)


def _macro_f1(totals: Floats) -> Floats:
    """Mean F1 of the classes that have images, for totals [R, 3 C] of `_class_counts`."""
    right, images, answered = np.split(totals, 3, axis=1)
    return _mean_of_present(2 * right / np.maximum(images + answered, 1), images > 0)


def _mean_of_present(values: Floats, present: NDArray[np.bool_]) -> Floats:
    result: Floats = (values * present).sum(axis=1) / present.sum(axis=1)
    return result


def _f1_influence(sums: csr_array, totals: Floats) -> Floats:
    """The derivative of macro-F1 by each cluster [K] (Takahashi et al. 2022, Applied Intelligence 52)."""
    right, images, answered = np.split(totals, 3)
    both = np.maximum(images + answered, 1)
    present = (images > 0) / both / max(int((images > 0).sum()), 1)
    share = 2 * right / both * present
    effect: Floats = sums @ np.concatenate([2 * present, -share, -share])
    return effect


def _balanced_size(answers: Answers, balanced: float) -> float:
    """How many independent images would tell the mean recall as exactly.

    The variance of a mean of C shares with `sizes` images each: as if all classes were answered equally well, or with
    each class's own recall, whichever is larger. The first alone counts what a rare class has not shown yet.
    """
    shares, sizes = [], []
    for index in np.unique(answers.targets):
        true = answers.targets == index
        hits = answers.answered[true] == index
        shares.append(hits.mean())
        sizes.append(effective_size(hits, answers.clusters[true]))
    recall, size = np.array(shares), np.array(sizes)
    alike = balanced * (1 - balanced) * float((1 / size).sum())
    own = float((recall * (1 - recall) / size).sum())
    even = len(size) ** 2 / float((1 / size).sum())
    return even * alike / max(alike, own) if alike > 0 else even


def top_confusions(confusion: Sequence[Sequence[int]], labels: Sequence[str], most: int = 20) -> list[Confusion]:
    """The `most` commonest mistakes, the commonest first, from images counted by [true class][answered class]."""
    counts = np.array(confusion)
    images = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    pairs = zip(*np.unravel_index(order, counts.shape), strict=True)
    return [
        Confusion(
            true=labels[row],
            answered=labels[column],
            images=int(counts[row, column]),
            share=float(counts[row, column] / images[row]),
        )
        for row, column in pairs
        if counts[row, column]
    ]
