"""Answers in, figures out: accuracy beside chance, scores of each class, calibration; each with its interval."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from evaluation.answers import Answers
from evaluation.calibration import calibration_error, cross_entropy
from evaluation.chance import compare_with_chance
from evaluation.intervals import Interval, share_interval
from evaluation.means import Means, macro_f1_of, measure_means


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
class Scores(Means):
    """A split's figures, with 95 % intervals. `confusion` counts images by [true class][answered class].

    `majority` is the accuracy of always answering `majority_label`. `calibration_error` and its two null values are
    None below 500 images.
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
        **vars(measure_means(answers, temperature)),
    )


def score_epoch(answers: Answers) -> EpochScores:
    """The figures by which epochs are compared."""
    return EpochScores(
        loss=cross_entropy(answers),
        accuracy=float((answers.answered == answers.targets).mean()),
        macro_f1=macro_f1_of(answers),
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
