"""A probe in, how its answers would improve with more images out: "twice the pictures would give about …".

Errors fall with the number of images about as a power of it (Hestness et al. 2017, arXiv 1712.00409); a line through
the logarithms is drawn on by one doubling, and no further.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.clusters import cluster_numbers
from evaluation.intervals import SEED, Interval
from evaluation.probe.out_of_fold import Fold, Probe
from evaluation.probe.ridge import Ridge

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHARES = (0.25, 0.5, 1.0)
RESAMPLES = 500
SMALLEST_ERROR = 1e-3


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """The mean recall by the number of images to learn from, and at twice the largest of them, with its interval."""

    images: list[int]
    recalls: list[float]
    doubled: float
    doubled_interval: Interval


def draw_learning_curve(probes: Sequence[Probe]) -> LearningCurve:
    """Learn from a quarter, a half and all of each fold's objects.

    The interval is that of whole objects drawn again with replacement: 95 % of the draws.
    """
    hits = np.mean([[_hits(probe, share) for share in SHARES] for probe in probes], axis=0)
    targets = probes[0].targets
    clusters = np.unique(cluster_numbers(probes[0].examples), return_inverse=True)[1]
    recalls = _recalls(hits, targets, np.ones(len(targets)))
    rng = np.random.default_rng(SEED)
    objects = int(clusters.max()) + 1
    draws = [np.bincount(rng.integers(0, objects, objects), minlength=objects)[clusters] for _ in range(RESAMPLES)]
    doubled = [_doubled(_recalls(hits, targets, weights.astype(np.float64))) for weights in draws]
    learned = len(targets) * (1 - 1 / probes[0].count)
    low, high = np.quantile(doubled, [0.025, 0.975])
    return LearningCurve(
        images=[round(learned * share) for share in SHARES],
        recalls=recalls.tolist(),
        doubled=_doubled(recalls),
        doubled_interval=(float(low), float(high)),
    )


def _hits(probe: Probe, share: float) -> Floats:
    """Whether each image [N] is answered rightly by models of a share of the objects."""
    found = np.zeros(len(probe.targets))
    for fold in probe.folds:
        answered = _answer(probe, fold, share)
        found[fold.held_out] = answered == probe.targets[fold.held_out]
    return found


def _answer(probe: Probe, fold: Fold, share: float) -> Ints:
    learned = np.flatnonzero(~fold.held_out)
    targets = probe.targets[learned]
    if share == 1:
        scores = fold.ridge.answer(fold.rotated, targets, probe.classes, fold.strength)
    else:
        kept = _part(probe, learned, share)
        ridge = Ridge.of(probe.features[learned[kept]])
        rotated = ridge.rotate(probe.features[fold.held_out])
        scores = ridge.answer(rotated, targets[kept], probe.classes, fold.strength)
    result: Ints = scores.argmax(axis=1)
    return result


def _part(probe: Probe, learned: Ints, share: float) -> Ints:
    """Places in `learned` of a share of each class's objects, at least one; a smaller share is part of a larger one."""
    clusters, targets = cluster_numbers(probe.examples)[learned], probe.targets[learned]
    rng = np.random.default_rng(probe.seed)
    order = rng.permutation(np.unique(clusters))
    kept: list[int] = []
    for target in np.unique(targets):
        own = order[np.isin(order, clusters[targets == target])]
        kept += own[: max(1, round(share * len(own)))].tolist()
    return np.flatnonzero(np.isin(clusters, kept))


def _recalls(hits: Floats, targets: Ints, weights: Floats) -> Floats:
    """The mean recall [S] of hits [S, N] over the classes, with so much weight [N] for each image."""
    totals = np.bincount(targets, weights=weights)
    right = np.array([np.bincount(targets, weights=weights * row) for row in hits])
    found: Floats = (right[:, totals > 0] / totals[totals > 0]).mean(axis=1)
    return found


def _doubled(recalls: Floats) -> float:
    errors = np.log(np.maximum(1 - recalls, SMALLEST_ERROR))
    slope, level = np.polyfit(np.log(SHARES), errors, 1)
    # More images never make a model worse in the long run.
    return float(1 - np.exp(level + min(slope, 0.0) * np.log(2)))
