"""Answers in, a p-value out: is the model better than always answering the commonest class?"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

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
    """Test accuracy against always answering one class, on images with this mix of classes.

    The null: the model is expected to be right on no more images than the constant answer. Then the number of right
    answers is a sum of independent trials whose mean is at most N times the share of that class, and its tail at most
    the binomial one (Hoeffding 1956, Annals of Mathematical Statistics 27, 713-721): an exact test, whatever the model
    answers to which class. With clusters, N is Kish's effective size (1965) for objects whose images are all answered
    alike, the worst case.

    Two other tests were simulated. Shuffling the labels tests whether answers and labels are related at all, and a
    related model can still be right less often than the constant answer (95 % of one class, recall 0.9 of each). Sign
    flips of (model right - constant right) by cluster only use images on which the two differ: with 40 images in two
    classes, one strong model in six was missed.

    The mix of classes is taken as given: of models that are exactly as good as the constant answer, and related to the
    labels, up to 2 in 100 are called better over images drawn anew, because their mix differs each time.

    The constant answer is `majority`, the commonest class of the training images, or the commonest class of these
    images if that scores more: a model whose answers have nothing to do with the labels can't expect to beat the
    better one, even where the split has other shares of the classes than the training images.
    """
    counts = np.bincount(answers.targets, minlength=answers.logits.shape[1])
    reference = int(majority if counts[majority] == counts.max() else counts.argmax())
    accuracy = float((answers.answered == answers.targets).mean())
    sizes = np.bincount(answers.clusters)
    effective = float(sizes.sum() ** 2 / (sizes**2).sum())
    return Chance(
        reference=reference,
        p_value=_binomial_tail(accuracy * effective, effective, float(counts[reference] / counts.sum())),
    )


def _binomial_tail(successes: float, trials: float, share: float) -> float:
    """P(at least so many successes), also for fractions, by the incomplete beta function."""
    return 1.0 if successes == 0 else float(betainc(successes, trials - successes + 1, share))
