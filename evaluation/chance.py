"""Answers in, a p-value out: is the model better than always answering the commonest class?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from evaluation.answers import Answers

# "Better than chance" is only said below: one in a thousand models that are no better would be called so.
SIGNIFICANT = 0.001


@dataclass(frozen=True, kw_only=True)
class Chance:
    """How a model compares with one constant answer: `reference` is that class, `p_value` one-sided."""

    reference: int
    p_value: float

    @property
    def better(self) -> bool:
        """Whether the model is shown to be better; if not, that shows nothing about what it learned."""
        return self.p_value < SIGNIFICANT


def compare_with_chance(answers: Answers, majority: int) -> Chance:
    """Test accuracy against always answering one class, by exact sign flips of whole clusters.

    The null: the model is no more often right than the constant answer. Each cluster gives the number of its images
    that only the model has right, minus those that only the constant answer has right; under the null a positive
    difference is no likelier than the same negative one. Without clusters this is the exact one-sided test of McNemar
    1947; with them, the sign-flip test of Fisher 1935 on cluster sums. All 2^K flips are counted, by convolution.

    Why not shuffle labels: that tests whether answers and labels are related at all, and a model that is related to
    the labels can still be less often right than the constant answer (95 % of one class, recall 0.9 of each).

    The constant answer is `majority`, the commonest class of the training images, or the commonest class of these
    images if that scores more: a model whose answers have nothing to do with the labels can't expect to beat the better one,
    even where the split has other shares of the classes than the training images.

    At least 10 images outside the commonest class must be answered right: 2^-10 is the first power below 0.001.
    """
    counts = np.bincount(answers.targets, minlength=answers.logits.shape[1])
    reference = int(majority if counts[majority] == counts.max() else counts.argmax())
    gains = (answers.answered == answers.targets).astype(np.int64) - (answers.targets == reference)
    return Chance(reference=reference, p_value=_sign_flip(_cluster_sums(gains, answers.clusters)))


def _cluster_sums(gains: NDArray[np.int64], clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.rint(np.bincount(clusters, weights=gains)).astype(np.int64)


def _sign_flip(differences: NDArray[np.int64]) -> float:
    """P(sum of the positive parts >= what was seen), where each difference is as likely to be negative."""
    distribution = np.ones(1)
    for size, count in zip(*np.unique(np.abs(differences[differences != 0]), return_counts=True), strict=True):
        steps = np.zeros(int(size * count) + 1)
        steps[:: int(size)] = binom.pmf(np.arange(count + 1), count, 0.5)
        distribution = np.convolve(distribution, steps)
    seen = int(differences[differences > 0].sum())
    return float(min(distribution[seen:].sum(), 1.0))
