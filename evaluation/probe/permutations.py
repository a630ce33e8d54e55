"""Probes in, whether their answers are better than on permuted labels out.

The training loss can't tell, as networks learn any labels by heart (Zhang et al. 2017, arXiv 1611.03530).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.clusters import cluster_numbers
from evaluation.probe.figures import macro_f1
from evaluation.probe.out_of_fold import Probe

Ints = NDArray[np.int64]
PERMUTATIONS = 200


@dataclass(frozen=True, kw_only=True)
class Related:
    """The macro-F1 (mean over the probes), its mean and 99th percentile on permuted labels, and the test's p-value."""

    macro_f1: float
    chance: float
    chance_high: float
    p_value: float


def relate(probes: Sequence[Probe]) -> Related:
    """Answer the true labels and 200 permutations of them; each permutation exchanges the labels of whole objects."""
    targets = probes[0].targets
    clusters = np.unique(cluster_numbers(probes[0].examples), return_inverse=True)[1]
    rng = np.random.default_rng(0)
    columns = [targets, *(_permuted(targets, clusters, rng) for _ in range(PERMUTATIONS))]
    found = np.array([np.mean([_macro_f1(probe, column) for probe in probes]) for column in columns])
    return Related(
        macro_f1=float(found[0]),
        chance=float(found[1:].mean()),
        chance_high=float(np.quantile(found[1:], 0.99)),
        p_value=(1 + int((found[1:] >= found[0]).sum())) / (1 + PERMUTATIONS),
    )


def _macro_f1(probe: Probe, targets: Ints) -> float:
    return macro_f1(targets, probe.scores(targets).argmax(axis=1), probe.classes)


def _permuted(targets: Ints, clusters: Ints, rng: np.random.Generator) -> Ints:
    """The labels of the objects in another order; each object has the label of its first image."""
    firsts = targets[np.unique(clusters, return_index=True)[1]]
    result: Ints = rng.permutation(firsts)[clusters]
    return result
