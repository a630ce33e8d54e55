"""Logits and targets in, figures out: accuracy with its interval, per-class scores, calibration."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from evaluation.answers import Answers

CONFIDENCE = 0.95
TEMPERATURES = (0.2, 10.0)
CALIBRATION_BINS = 15


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """One class's figures; `recall_interval` is the 95 % Wilson interval."""

    label: str
    images: int
    precision: float
    recall: float
    recall_interval: tuple[float, float]
    f1: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """A split's figures. `confusion` counts images by [true class][answered class]."""

    images: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    loss: float
    calibration_error: float
    per_class: list[ClassScore]
    confusion: list[list[int]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def score(evaluation: Answers, labels: list[str], temperature: float = 1.0) -> Scores:
    """Every figure of one split, with probabilities = softmax(logits / temperature)."""
    targets = evaluation.targets
    answers = evaluation.logits.argmax(axis=1)
    correct = answers == targets
    per_class = _per_class(targets, answers, labels)
    return Scores(
        images=len(targets),
        accuracy=float(correct.mean()),
        accuracy_interval=wilson_interval(int(correct.sum()), len(targets)),
        macro_f1=float(np.mean([entry.f1 for entry in per_class])),
        loss=cross_entropy(evaluation, temperature),
        calibration_error=expected_calibration_error(evaluation, temperature),
        per_class=per_class,
        confusion=confusion_matrix(targets, answers, labels=range(len(labels))).tolist(),
    )


def _per_class(targets: NDArray[np.int64], answers: NDArray[np.int64], labels: list[str]) -> list[ClassScore]:
    precision, recall, f1, images = precision_recall_fscore_support(
        targets, answers, labels=range(len(labels)), zero_division=0
    )
    return [
        ClassScore(
            label=label,
            images=int(images[index]),
            precision=float(precision[index]),
            recall=float(recall[index]),
            recall_interval=wilson_interval(round(recall[index] * images[index]), int(images[index])),
            f1=float(f1[index]),
        )
        for index, label in enumerate(labels)
    ]


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); (0, 1) when nothing was tried."""
    if trials == 0:
        return 0.0, 1.0
    interval = binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def cross_entropy(evaluation: Answers, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the true classes, in nats."""
    log_probabilities = log_softmax(evaluation.logits.astype(np.float64) / temperature, axis=1)
    return float(-log_probabilities[np.arange(len(evaluation.targets)), evaluation.targets].mean())


def fit_temperature(evaluation: Answers) -> float:
    """The temperature that makes probabilities honest on these images (Guo et al. 2017, arXiv 1706.04599).

    Bounded, as images that are all answered right would ask for certainty without end.
    """
    low, high = np.log(TEMPERATURES)
    result = minimize_scalar(
        lambda t: cross_entropy(evaluation, float(np.exp(t))), bounds=(low, high), method="bounded"
    )
    return float(np.exp(result.x))


def expected_calibration_error(evaluation: Answers, temperature: float = 1.0) -> float:
    """Mean distance between confidence and accuracy over 15 equal bins (Guo et al. 2017)."""
    probabilities = np.exp(log_softmax(evaluation.logits.astype(np.float64) / temperature, axis=1))
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == evaluation.targets
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [
        abs(float(correct[bins == index].mean() - confidence[bins == index].mean())) * float(np.mean(bins == index))
        for index in np.unique(bins)
    ]
    return float(sum(gaps))
