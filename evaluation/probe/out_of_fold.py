"""Features of labelled images in, an answer to each by a linear model that has not seen it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dataset.clusters import cluster_numbers
from dataset.errors import DataError
from dataset.folds import deal_folds
from dataset.split_file import Example
from evaluation.answers import Answers
from evaluation.probe.figures import mean_recall
from evaluation.probe.ridge import STRENGTHS, USUAL, Ridge

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

INNER_FOLDS = 5
# More images make the choice no better and take minutes.
MOST_IMAGES = 1000


@dataclass(frozen=True, kw_only=True)
class Fold:
    """A linear model of the images that `held_out` [N] does not mark, and those that it does, in its basis [M, k]."""

    held_out: NDArray[np.bool_]
    ridge: Ridge
    rotated: Floats
    strength: float


@dataclass(frozen=True)
class Probe:
    """Features [N, F] of the examples, in folds of whole objects; each chose its strength in folds of its own.

    Raises `DataError` where there are fewer objects than folds.
    """

    features: Floats
    examples: Sequence[Example]
    count: int
    seed: int

    @cached_property
    def targets(self) -> Ints:
        """The class of each image [N]."""
        return np.array([example.target for example in self.examples])

    @cached_property
    def classes(self) -> int:
        """How many there are."""
        return int(self.targets.max()) + 1

    @cached_property
    def folds(self) -> list[Fold]:
        """A model for each fold."""
        dealt = deal_folds(self.examples, self.count, self.seed)
        return [self._fold(dealt == number) for number in range(self.count)]

    def _fold(self, held_out: NDArray[np.bool_]) -> Fold:
        features = self.features[~held_out]
        learned = [example for example, out in zip(self.examples, held_out, strict=True) if not out]
        ridge = Ridge.of(features)
        return Fold(
            held_out=held_out,
            ridge=ridge,
            rotated=ridge.rotate(self.features[held_out]),
            strength=choose_strength(features, learned, self.classes),
        )

    def scores(self, targets: Ints) -> Floats:
        """What the folds answer [N, C] if these were the classes [N]."""
        found = np.empty((len(targets), self.classes))
        for fold in self.folds:
            found[fold.held_out] = fold.ridge.answer(fold.rotated, targets[~fold.held_out], self.classes, fold.strength)
        return found

    def answers(self) -> Answers:
        """The answers to all images, as logits of about unit size, so that a temperature makes them probabilities."""
        scores = self.scores(self.targets)
        for fold in self.folds:
            scores[fold.held_out] /= scores[fold.held_out].std() + 1e-12
        return Answers(logits=scores.astype(np.float32), targets=self.targets, clusters=cluster_numbers(self.examples))


def choose_strength(features: Floats, examples: Sequence[Example], classes: int) -> float:
    """The strength with the best mean recall over folds of whole objects, of features [N, F]; the strongest of several.

    The least squared error would not do: scores shrink with the strength, and the answer is the largest whatever its
    size.
    """
    chosen = sorted(range(len(examples)), key=lambda row: examples[row].sha256)[:MOST_IMAGES]
    features, examples = features[chosen], [examples[row] for row in chosen]
    targets = np.array([example.target for example in examples])
    try:
        dealt = deal_folds(examples, INNER_FOLDS, seed=0)
    except DataError:
        return USUAL  # too few objects to choose by
    answered = np.zeros((len(STRENGTHS), len(targets)), np.int64)
    for number in range(INNER_FOLDS):
        out = dealt == number
        ridge = Ridge.of(features[~out])
        rotated = ridge.rotate(features[out])
        for place, strength in enumerate(STRENGTHS):
            answered[place, out] = ridge.answer(rotated, targets[~out], classes, strength).argmax(axis=1)
    recalls = [mean_recall(targets, row, classes) for row in answered]
    return max(zip(recalls, STRENGTHS, strict=True))[1]
