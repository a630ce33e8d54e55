"""Answers in, curves out: precision-recall and ROC of each class, reliability, and risk against coverage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from evaluation.answers import Answers
from evaluation.calibration import CALIBRATION_BINS, confidence_bins
from evaluation.intervals import Floats, Interval, share_interval

# More points are not seen in a plot.
MOST_POINTS = 200
COVERAGE_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class ClassCurve:
    """One class against the rest: two curves, each over falling thresholds on its probability, at most 200 points."""

    label: str
    images: int
    recall: Floats
    precision: Floats
    average_precision: float
    false_positive_rate: Floats
    true_positive_rate: Floats
    auc: float


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Images whose confidence falls into one bin: their mean confidence beside the share that is right."""

    images: int
    confidence: float
    accuracy: float
    accuracy_interval: Interval


@dataclass(frozen=True, kw_only=True)
class CoveragePoint:
    """Only answers with a confidence of at least `threshold` are given: how many images that leaves, and how wrong.

    `error_high` is a one-sided 95 % upper bound for the number of clusters.
    """

    threshold: float
    answered: int
    coverage: float
    error: float
    error_high: float


def class_curves(answers: Answers, labels: Sequence[str], temperature: float = 1.0) -> list[ClassCurve]:
    """The curves of every class that has images and is not all of them (scikit-learn's definitions)."""
    probabilities = np.exp(answers.log_probabilities(temperature))
    counts = np.bincount(answers.targets, minlength=len(labels))
    return [
        _class_curve(label, answers.targets == index, probabilities[:, index])
        for index, label in enumerate(labels)
        if 0 < counts[index] < len(answers.targets)
    ]


def _class_curve(label: str, true: NDArray[np.bool_], probability: Floats) -> ClassCurve:
    precision, recall, _ = precision_recall_curve(true, probability, drop_intermediate=True)
    false_rate, true_rate, _ = roc_curve(true, probability)
    return ClassCurve(
        label=label,
        images=int(true.sum()),
        recall=_thinned(recall[::-1]),
        precision=_thinned(precision[::-1]),
        average_precision=float(average_precision_score(true, probability)),
        false_positive_rate=_thinned(false_rate),
        true_positive_rate=_thinned(true_rate),
        auc=float(roc_auc_score(true, probability)),
    )


def _thinned(values: Floats) -> Floats:
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), MOST_POINTS)).round().astype(int))
    result: Floats = values[chosen]
    return result


def reliability(answers: Answers, temperature: float = 1.0) -> list[ReliabilityBin]:
    """Confidence beside accuracy in 15 equal bins, those with images (DeGroot and Fienberg 1983)."""
    confidences, correct = answers.confidences(temperature), answers.answered == answers.targets
    bins = confidence_bins(confidences)
    found = []
    for index in range(CALIBRATION_BINS):
        chosen = bins == index
        if chosen.any():
            found.append(
                ReliabilityBin(
                    images=int(chosen.sum()),
                    confidence=float(confidences[chosen].mean()),
                    accuracy=float(correct[chosen].mean()),
                    accuracy_interval=share_interval(correct[chosen], answers.clusters[chosen]),
                )
            )
    return found


def risk_coverage(answers: Answers, temperature: float = 1.0) -> list[CoveragePoint]:
    """Share answered and error among the answered at up to 20 thresholds, the lowest first, which answers everything.

    Source: El-Yaniv and Wiener 2010, JMLR 11, 1605-1641.
    """
    confidences, wrong = answers.confidences(temperature), answers.answered != answers.targets
    # Values that occur, so that a threshold never lies between two images by rounding.
    thresholds = np.quantile(confidences, np.arange(COVERAGE_STEPS) / COVERAGE_STEPS, method="lower")
    points = []
    for threshold in np.unique(thresholds):
        kept = confidences >= threshold
        points.append(
            CoveragePoint(
                threshold=0.0 if kept.all() else float(threshold),
                answered=int(kept.sum()),
                coverage=float(kept.mean()),
                error=float(wrong[kept].mean()),
                error_high=share_interval(wrong[kept], answers.clusters[kept], confidence=0.9)[1],
            )
        )
    return points
