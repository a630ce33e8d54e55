"""Answers in, what is averaged over images or classes out: macro-F1, balanced accuracy, log loss, Brier score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from evaluation.answers import Answers
from evaluation.calibration import brier_scores, losses
from evaluation.intervals import (
    Floats,
    Interval,
    bca_interval,
    effective_size,
    resampled_totals,
    sum_by_cluster,
    wilson_interval,
)


@dataclass(frozen=True, kw_only=True)
class Means:
    """Figures with their 95 % intervals. Macro-F1 and balanced accuracy are over the classes that have images.

    Intervals: BCa bootstrap over clusters; for balanced accuracy Wilson's with an effective size; for macro-F1 the
    wider of both, as a bootstrap can't know of errors that these images don't show.
    """

    macro_f1: float
    macro_f1_interval: Interval
    balanced_accuracy: float
    balanced_accuracy_interval: Interval
    loss: float
    loss_interval: Interval
    brier: float
    brier_interval: Interval


def measure_means(answers: Answers, temperature: float) -> Means:
    """All means, from one set of resampled clusters."""
    sums = sum_by_cluster(_columns(answers, temperature), answers.clusters)
    totals, resampled = sums.sum(axis=0)[None, :], resampled_totals(sums)
    loss, loss_interval = _mean_of_images(sums, resampled, column=-3)
    brier, brier_interval = _mean_of_images(sums, resampled, column=-2)
    balanced, macro_f1 = float(_balanced_accuracy(totals[:, :-3])[0]), float(macro_f1_of_totals(totals[:, :-3])[0])
    size = _balanced_size(answers, balanced)
    influence = f1_influence(sums[:, :-3], totals[0, :-3])
    drawn = bca_interval(macro_f1, macro_f1_of_totals(resampled[:, :-3]), influence)
    return Means(
        macro_f1=macro_f1,
        macro_f1_interval=_wider(drawn, wilson_interval(macro_f1 * size, size)),
        balanced_accuracy=balanced,
        balanced_accuracy_interval=wilson_interval(balanced * size, size),
        loss=loss,
        loss_interval=loss_interval,
        brier=brier,
        brier_interval=brier_interval,
    )


def macro_f1_of(answers: Answers) -> float:
    """Macro-F1 alone, without its interval."""
    return float(macro_f1_of_totals(class_counts(answers).sum(axis=0)[None, :])[0])


def _columns(answers: Answers, temperature: float) -> csr_array:
    """Each image in columns [N, 3 C + 3]: `class_counts`, then its log loss, its Brier score and 1."""
    values = [losses(answers, temperature), brier_scores(answers, temperature), np.ones(len(answers.targets))]
    return csr_array(hstack([class_counts(answers), csr_array(np.stack(values, axis=1))]))


def _mean_of_images(sums: csr_array, resampled: Floats, column: int) -> tuple[float, Interval]:
    """The mean of a column over images, and its interval; the last column counts images."""
    value, images = sums[:, [column]].toarray()[:, 0], sums[:, [-1]].toarray()[:, 0]
    mean = float(value.sum() / images.sum())
    return mean, bca_interval(mean, resampled[:, column] / resampled[:, -1], value - mean * images)


def _wider(first: Interval, second: Interval) -> Interval:
    """From the lower of both to the higher."""
    return min(first[0], second[0]), max(first[1], second[1])


def class_counts(answers: Answers) -> csr_array:
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
    """Mean recall of the classes that have images, for totals [R, 3 C] of `class_counts`."""
    right, images, _ = np.split(totals, 3, axis=1)
    return _mean_of_present(right / np.maximum(images, 1), images > 0)


def macro_f1_of_totals(totals: Floats) -> Floats:
    """Mean F1 of the classes that have images, for totals [R, 3 C] of `class_counts`."""
    right, images, answered = np.split(totals, 3, axis=1)
    return _mean_of_present(2 * right / np.maximum(images + answered, 1), images > 0)


def _mean_of_present(values: Floats, present: NDArray[np.bool_]) -> Floats:
    result: Floats = (values * present).sum(axis=1) / present.sum(axis=1)
    return result


def f1_influence(sums: csr_array, totals: Floats) -> Floats:
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
