"""Answers in, operating points out: from which probability one class is reported, below which an answer is unsure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract import UsageError
from dataset.errors import DataError
from evaluation.answers import Answers
from evaluation.curves import CoveragePoint
from evaluation.intervals import Interval, share_interval

MOST_LABELS_SHOWN = 10
# Left of the error when unsure answers are not given.
ERROR_LEFT = 0.5


@dataclass(frozen=True, kw_only=True)
class RecallTarget:
    """What `RECALL=class:0.95` asks for: of the images of class `index`, at least the share `recall` is reported."""

    index: int
    label: str
    recall: float


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """What happens if every image whose probability of `label` is at least `threshold` is reported as it.

    `precision` is the share of reported images that are of the class, `false_alarm_rate` the share reported of the
    images of other classes. Intervals are at 95 %.
    """

    label: str
    threshold: float
    images: int
    recall: float
    recall_interval: Interval
    reported: int
    precision: float
    precision_interval: Interval
    false_alarms: int
    false_alarm_rate: float
    false_alarm_interval: Interval


def read_recall_target(text: str, labels: Sequence[str]) -> RecallTarget:
    """`class:recall`; the class may hold colons of its own. Raises `UsageError`."""
    label, colon, share = text.rpartition(":")
    try:
        recall = float(share)
    except ValueError:
        recall = math.nan
    if not colon or not 0 < recall <= 1:
        raise UsageError(
            f"RECALL={text} is not valid; expected a class, a colon and a recall over 0, up to 1: RECALL=ill:0.95"
        )
    if label not in labels:
        shown = ", ".join(labels[:MOST_LABELS_SHOWN]) + (", …" if len(labels) > MOST_LABELS_SHOWN else "")
        raise UsageError(f"RECALL={text} names no class of the model; expected one of: {shown}")
    return RecallTarget(index=list(labels).index(label), label=label, recall=recall)


def choose_threshold(answers: Answers, target: RecallTarget, temperature: float = 1.0) -> float:
    """The highest threshold on the class's probability that reaches the recall on these images, down to 3 digits.

    The recall is only as high as asked for on the images that chose it: measure on others (`measure_threshold`).
    Raises `DataError` if there is no image of the class, or if only reporting every image reaches the recall.
    """
    probability = np.exp(answers.log_probabilities(temperature)[:, target.index])
    true = answers.targets == target.index
    if not true.any():
        raise DataError(f"there is no image of class {target.label}, so no threshold reaches a recall; add some")
    # 0.95 of 20 is 19, not 19.000000000000004.
    needed = math.ceil(round(target.recall * int(true.sum()), 9))
    threshold = _rounded_down(float(np.sort(probability[true])[-needed]))
    if not true.all() and (probability >= threshold).all():
        raise DataError(
            f"a recall of {target.recall:g} of class {target.label} is only reached by reporting every image as it; "
            f"expected images that the model can tell from it: lower the recall, or train a better model"
        )
    return threshold


def _rounded_down(value: float) -> float:
    """So that a threshold that is read, typed and compared in float32 still reaches its recall."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return math.floor(value / unit) * unit


def measure_threshold(
    answers: Answers, target: RecallTarget, threshold: float, temperature: float = 1.0
) -> OperatingPoint:
    """What reporting the class from `threshold` on does on these images."""
    reported = np.exp(answers.log_probabilities(temperature)[:, target.index]) >= threshold
    true, clusters = answers.targets == target.index, answers.clusters
    return OperatingPoint(
        label=target.label,
        threshold=threshold,
        images=int(true.sum()),
        recall=_share(reported[true]),
        recall_interval=share_interval(reported[true], clusters[true]),
        reported=int(reported.sum()),
        precision=_share(true[reported]),
        precision_interval=share_interval(true[reported], clusters[reported]),
        false_alarms=int(reported[~true].sum()),
        false_alarm_rate=_share(reported[~true]),
        false_alarm_interval=share_interval(reported[~true], clusters[~true]),
    )


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if len(hits) else 0.0


def unsure_below(points: Sequence[CoveragePoint]) -> CoveragePoint | None:
    """The proposed threshold: answers with less confidence are better shown to a person.

    It is the lowest threshold whose 95 % upper bound of the error among the answered is at most half of the error of
    answering everything; None if there is none: the images are too few, or confidence tells nothing. The bound is not
    corrected for the choice among thresholds, so measure the chosen one on other images.
    """
    allowed = ERROR_LEFT * points[0].error
    return next((point for point in points if point.error_high <= allowed), None)
