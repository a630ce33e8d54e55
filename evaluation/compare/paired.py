"""Two models' answers to the same images in, the difference of their figures out, with intervals and tests."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.signal import convolve
from scipy.sparse import csr_array, hstack
from scipy.stats import binom, binomtest, norm

from evaluation.answers import Answers
from evaluation.calibration import losses
from evaluation.intervals import (
    CONFIDENCE,
    Interval,
    bca_interval,
    effective_size,
    resampled_totals,
    sum_by_cluster,
    widen,
)
from evaluation.means import class_counts, f1_influence, macro_f1_of_totals

BESIDE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The second model's figure less the first's, with a 95 % interval."""

    first: float
    second: float
    difference: float
    interval: Interval

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0."""
        return not self.interval[0] <= 0 <= self.interval[1]

    def widened(self, folds: int, most: float) -> "Difference":
        """For answers that are pooled over `folds` models, at most `most` either way; 0 folds: as it is."""
        if not folds:
            return self
        return replace(self, interval=widen(self.difference, self.interval, folds, most=most, least=-most))


@dataclass(frozen=True, kw_only=True)
class Paired:
    """How two models differ. Images are counted by who is right; `objects` counts clusters.

    `mcnemar` is the exact test of McNemar 1947 on images, as if each was of its own object; `p_value` counts objects.
    """

    images: int
    objects: int
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    accuracy: Difference
    macro_f1: Difference
    loss: Difference
    mcnemar: float
    p_value: float


def compare_pair(first: Answers, second: Answers, temperatures: tuple[float, float], folds: int = 0) -> Paired:
    """Every figure of the comparison; both have the same targets and clusters, image by image.

    Intervals of answers that are pooled over `folds` models are wider, as those models share images (`widen`).
    """
    if not (first.targets == second.targets).all() or not (first.clusters == second.clusters).all():
        raise ValueError("the answers are not to the same images")
    one, other = (answers.answered == answers.targets for answers in (first, second))
    better, worse = int((other & ~one).sum()), int((one & ~other).sum())
    return Paired(
        images=len(one),
        objects=int(first.clusters.max()) + 1,
        both_right=int((one & other).sum()),
        only_first=worse,
        only_second=better,
        both_wrong=int((~one & ~other).sum()),
        accuracy=_accuracy(one, other, first.clusters).widened(folds, most=1.0),
        macro_f1=_macro_f1(first, second).widened(folds, most=1.0),
        loss=_loss(first, second, temperatures).widened(folds, most=np.inf),
        mcnemar=mcnemar(worse, better),
        p_value=sign_flip_test(other.astype(np.int64) - one, first.clusters),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of McNemar's test: of the images on which two models differ, half for each.

    Source: McNemar 1947, Psychometrika 12, 153-157; 1 where they differ on none.
    """
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def sign_flip_test(differences: NDArray[np.int64], clusters: NDArray[np.int64]) -> float:
    """The exact two-sided p-value of sum(differences) [N], where each cluster's sign is as likely + as -.

    If two models are equally good, the difference over an object is as likely to favour either (Fisher 1935, The
    Design of Experiments, section 21, with objects as units). Without clusters it is McNemar's exact test.
    """
    sums = np.bincount(clusters, weights=differences).astype(np.int64)
    sizes, numbers = np.unique(np.abs(sums[sums != 0]), return_counts=True)
    chances, most = np.ones(1), int((sizes * numbers).sum())
    for size, number in zip(sizes.tolist(), numbers.tolist(), strict=True):
        # The sum over clusters of one size is size * (2 B - number), with B binomial.
        step = np.zeros(2 * size * number + 1)
        step[:: 2 * size] = binom.pmf(np.arange(number + 1), number, 0.5)
        chances = convolve(chances, step)
    values = np.arange(-most, most + 1)
    return min(1.0, float(chances[np.abs(values) >= abs(int(sums.sum()))].sum()))


def tango_interval(better: float, worse: float, pairs: float) -> Interval:
    """The 95 % score interval of (better - worse) / pairs, the difference of two paired shares. Fractions are allowed.

    It does not shrink to a point where the models differ on no image, as a bootstrap does. Source: Tango 1998,
    Statistics in Medicine 17, 891-908.
    """
    z, difference = float(norm.ppf((1 + CONFIDENCE) / 2)), (better - worse) / pairs

    def excess(shift: float, side: float) -> float:
        linear = (2 * pairs - better + worse) * shift - better - worse
        root = np.sqrt(max(linear**2 + 8 * pairs * worse * shift * (1 - shift), 0.0))
        share = (root - linear) / (4 * pairs)
        deviation = np.sqrt(max(pairs * (2 * share + shift * (1 - shift)), 0.0))
        return float(side * pairs * (difference - shift) - z * deviation)

    # The difference itself is a root where the models never, or always, differ; the one sought lies beyond it.
    low = brentq(excess, -1, difference - BESIDE, args=(1,)) if excess(-1, 1) > 0 else -1.0
    high = brentq(excess, difference + BESIDE, 1, args=(-1,)) if excess(1, -1) > 0 else 1.0
    return float(low), float(high)


def _accuracy(one: NDArray[np.bool_], other: NDArray[np.bool_], clusters: NDArray[np.int64]) -> Difference:
    """By Tango's interval, with as many pairs as the clusters leave of them (`effective_size`)."""
    better, worse = float((other & ~one).mean()), float((one & ~other).mean())
    size = effective_size(other.astype(np.int64) - one, clusters)
    return Difference(
        first=float(one.mean()),
        second=float(other.mean()),
        difference=better - worse,
        interval=tango_interval(better * size, worse * size, size),
    )


def _macro_f1(first: Answers, second: Answers) -> Difference:
    """By a bootstrap of clusters (BCa), and at least as wide as the interval of the mean recall.

    The bootstrap alone can't know of differences that these images don't show: in simulations, with one image in 60
    answered differently, it held the true difference in 72 of 100 draws.
    """
    counts = [sum_by_cluster(class_counts(answers), answers.clusters) for answers in (first, second)]
    width = counts[0].shape[1]
    sums = csr_array(hstack(counts))
    totals, resampled = sums.sum(axis=0)[None, :], resampled_totals(sums)
    one, other = (float(macro_f1_of_totals(part)[0]) for part in (totals[:, :width], totals[:, width:]))
    drawn = macro_f1_of_totals(resampled[:, width:]) - macro_f1_of_totals(resampled[:, :width])
    influence = f1_influence(counts[1], totals[0, width:]) - f1_influence(counts[0], totals[0, :width])
    low, high = bca_interval(other - one, drawn, influence)
    below, above = _recall_margins(first, second)
    return Difference(
        first=one,
        second=other,
        difference=other - one,
        interval=(min(low, max(other - one - below, -1.0)), max(high, min(other - one + above, 1.0))),
    )


def _recall_margins(first: Answers, second: Answers) -> tuple[float, float]:
    """How far the 95 % interval of the difference of mean recalls reaches below and above it.

    By Tango's interval, with as many pairs as give the mean over classes its variance: with one rate of differences in
    all classes, or with each class's own, whichever is larger. All classes share the design effect of their clusters,
    which the few objects of one class could not tell.
    """
    differences = (second.answered == second.targets).astype(np.int64) - (first.answered == first.targets)
    classes = [first.targets == index for index in np.unique(first.targets)]
    independent = effective_size(differences, first.clusters) / len(differences)
    sizes = np.array([true.sum() * independent for true in classes])
    better = float(np.mean([(differences[true] > 0).mean() for true in classes]))
    worse = float(np.mean([(differences[true] < 0).mean() for true in classes]))
    size = len(classes) ** 2 / float((1 / sizes).sum())
    alike = (better + worse - (better - worse) ** 2) / size
    own = float(np.sum([differences[true].var() for true in classes] / sizes)) / len(classes) ** 2
    if own > alike > 0:
        size *= alike / own
    low, high = tango_interval(better * size, worse * size, size)
    return better - worse - low, high - (better - worse)


def _loss(first: Answers, second: Answers, temperatures: tuple[float, float]) -> Difference:
    """The mean log loss of the calibrated probabilities, in nats: less is better. By a bootstrap of clusters (BCa)."""
    one, other = (losses(answers, heat) for answers, heat in zip((first, second), temperatures, strict=True))
    columns = csr_array(np.stack([other - one, np.ones(len(one))], axis=1))
    sums = sum_by_cluster(columns, first.clusters)
    resampled, mean = resampled_totals(sums), float((other - one).mean())
    dense = sums.toarray()
    return Difference(
        first=float(one.mean()),
        second=float(other.mean()),
        difference=mean,
        interval=bca_interval(mean, resampled[:, 0] / resampled[:, 1], dense[:, 0] - mean * dense[:, 1]),
    )
