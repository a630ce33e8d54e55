"""The gate: a fast mode's answers beside fp32's, image by image, in; what it costs, and whether it may serve, out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.compare.paired import mcnemar
from evaluation.gate.bounds import lower_bound, objects_needed, upper_bound

CONFIDENCE = 0.95
# A second attempt, with some layers in float, after the first was refused on the same images. Both together admit what
# costs too much in at most 6 % of all cases.
CONFIDENCE_OF_A_SECOND_ATTEMPT = 0.99
# No class may lose more of its recall than this share, of its validation images, and more than one image.
MOST_RECALL_LOST = 0.05
LABELLED, AGREEMENT = "validation", "agreement with fp32"

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Probabilities of both, float32 [N, C], for the same images; `targets` int64 [N], -1 where no label counts.

    `clusters` int64 [N]: the images of one object share a number.
    """

    reference: Floats
    fast: Floats
    targets: NDArray[np.int64]
    clusters: NDArray[np.int64]

    @property
    def flips(self) -> NDArray[np.bool_]:
        """The images that are answered otherwise [N]."""
        result: NDArray[np.bool_] = self.reference.argmax(axis=1) != self.fast.argmax(axis=1)
        return result

    @property
    def losses(self) -> NDArray[np.bool_]:
        """Those of them that count as lost [N]: where a label counts, those that fp32 answers rightly."""
        result: NDArray[np.bool_] = self.flips & ((self.targets < 0) | (self.reference.argmax(axis=1) == self.targets))
        return result

    @property
    def gains(self) -> NDArray[np.bool_]:
        """Those that only the fast mode answers rightly [N]."""
        result: NDArray[np.bool_] = self.flips & (self.targets >= 0) & (self.fast.argmax(axis=1) == self.targets)
        return result

    def part(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """The images that `chosen` [N] marks."""
        return Pairs(
            reference=self.reference[chosen],
            fast=self.fast[chosen],
            targets=self.targets[chosen],
            clusters=self.clusters[chosen],
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found of one mode; it is admitted where nothing is in `problems`."""

    evidence: str
    objects: int
    lost: int
    bound: float
    confidence: float
    max_loss: float
    drift: float
    figures: dict[str, Any]
    problems: list[str] = field(default_factory=list)

    @property
    def admitted(self) -> bool:
        """Whether it may serve."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """The entries of a certificate that are the gate's."""
        return {name: value for name, value in asdict(self).items() if name != "problems"}


def judge(pairs: Pairs, labels: Sequence[str], max_loss: float, confidence: float = CONFIDENCE) -> Verdict:
    """Whether the mode loses at most the share `max_loss` of the accuracy, at the confidence given.

    The labelled images alone decide where they are enough for a loss to be borne; else agreement on the others counts
    too, and each change there counts as a loss. Which of the two is decided by counts, before any answer is looked at.
    """
    labelled = pairs.targets >= 0
    alone = len(np.unique(pairs.clusters[labelled])) >= objects_needed(1, max_loss, confidence)
    chosen = pairs.part(labelled) if alone else pairs
    objects, lost = len(np.unique(chosen.clusters)), len(np.unique(chosen.clusters[chosen.losses]))
    bound = upper_bound(lost, objects, confidence)
    parts = [LABELLED] * bool(labelled.any()) + [AGREEMENT] * (not alone and not labelled.all())
    figures = {"validation": _labelled(pairs.part(labelled), labels), "agreement": _agreement(pairs)}
    problems = _too_lossy(lost, objects, bound, max_loss, confidence)
    return Verdict(
        evidence=" and ".join(parts) or "no images",
        objects=objects,
        lost=lost,
        bound=bound,
        confidence=confidence,
        max_loss=max_loss,
        drift=float(np.abs(pairs.fast - pairs.reference).max(initial=0.0)),
        figures=figures,
        problems=[*problems, *_weak_classes(pairs.part(labelled), labels)],
    )


def _too_lossy(lost: int, objects: int, bound: float, max_loss: float, confidence: float) -> list[str]:
    if bound <= max_loss:
        return []
    found = (
        f"{lost} of {objects} objects are lost, so up to {100 * bound:.2f} points of accuracy may be, "
        f"and allowed are {100 * max_loss:g}"
    )
    if lower_bound(lost, objects, confidence) > max_loss:
        return [found]
    more = objects_needed(lost, max_loss, confidence) - objects
    return [f"{found}: it would take {more} more pictures of other objects without a loss (EVIDENCE=folder)"]


def _weak_classes(pairs: Pairs, labels: Sequence[str]) -> list[str]:
    problems = []
    for index, label in enumerate(labels):
        own = pairs.part(pairs.targets == index)
        lost = int(own.losses.sum()) - int(own.gains.sum())
        if lost > max(1.0, MOST_RECALL_LOST * len(own.targets)):
            problems.append(f"{label} loses {lost} of its {len(own.targets)} validation images")
    return problems


def _labelled(pairs: Pairs, labels: Sequence[str]) -> dict[str, Any]:
    """Accuracy, recall by class and calibration of both on the labelled images; empty without any."""
    images = len(pairs.targets)
    if not images:
        return {}
    lost, gained = int(pairs.losses.sum()), int(pairs.gains.sum())
    return {
        "images": images,
        "accuracy": [_accuracy(pairs.reference, pairs.targets), _accuracy(pairs.fast, pairs.targets)],
        "lost": lost,
        "gained": gained,
        "mcnemar": mcnemar(lost, gained),
        "brier": [_brier(pairs.reference, pairs.targets), _brier(pairs.fast, pairs.targets)],
        "recall": {
            label: [_accuracy(own.reference, own.targets), _accuracy(own.fast, own.targets)]
            for index, label in enumerate(labels)
            if len((own := pairs.part(pairs.targets == index)).targets)
        },
    }


def _agreement(pairs: Pairs) -> dict[str, Any]:
    differences = np.abs(pairs.fast - pairs.reference)
    images = len(differences)
    return {
        "images": images,
        "same": images - int(pairs.flips.sum()),
        "largest": float(differences.max(initial=0.0)),
        "mean": float(differences.mean()) if images else 0.0,
    }


def _accuracy(probabilities: Floats, targets: NDArray[np.int64]) -> float:
    return float((probabilities.argmax(axis=1) == targets).mean())


def _brier(probabilities: Floats, targets: NDArray[np.int64]) -> float:
    """The multi-class score of Brier 1950: 0 to 2, less is better."""
    truth = np.eye(probabilities.shape[1], dtype=np.float32)[targets]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())
