"""Answers drawn from a model whose true figures are known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.answers import Answers


@dataclass(frozen=True, kw_only=True)
class Population:
    """Classes with these shares, each answered right with `recall` of its class, else with any of the others alike.

    Objects have `views` images each; with the probability `likeness`, all of them get the same answer.
    """

    shares: tuple[float, ...]
    recall: tuple[float, ...]
    views: int = 1
    likeness: float = 0.0

    @property
    def answer_shares(self) -> NDArray[np.float64]:
        """[C, C]: how often each class (row) gets each answer (column)."""
        count = len(self.shares)
        wrong = (1 - np.array(self.recall)) / (count - 1)
        table = np.tile(wrong[:, None], (1, count))
        np.fill_diagonal(table, self.recall)
        return table

    @property
    def figures(self) -> dict[str, float]:
        """The true accuracy, balanced accuracy and macro-F1."""
        joint = self.answer_shares * np.array(self.shares)[:, None]
        right = joint.diagonal()
        return {
            "accuracy": float(right.sum()),
            "balanced_accuracy": float(np.mean(self.recall)),
            "macro_f1": float(np.mean(2 * right / (joint.sum(axis=0) + joint.sum(axis=1)))),
        }

    def draw(self, images: int, rng: np.random.Generator, *, exact_shares: bool = False) -> Answers:
        """So many images of it."""
        objects = images // self.views
        drawn = rng.choice(len(self.shares), objects, p=self.shares)
        if exact_shares:
            drawn = np.repeat(np.arange(len(self.shares)), np.rint(np.array(self.shares) * objects).astype(int))
        targets = np.repeat(drawn, self.views)
        clusters = np.repeat(np.arange(objects), self.views)
        own = rng.random(len(targets))
        common = np.repeat(rng.random(objects), self.views)
        level = np.where(np.repeat(rng.random(objects) < self.likeness, self.views), common, own)
        steps = self.answer_shares.cumsum(axis=1)[targets]
        answered = np.minimum((level[:, None] > steps).sum(axis=1), len(self.shares) - 1)
        return answers_of(answered, targets, clusters, classes=len(self.shares))


def answers_of(
    answered: NDArray[np.int64], targets: NDArray[np.int64], clusters: NDArray[np.int64] | None = None, *, classes: int
) -> Answers:
    """Answers that are these, with a confidence of about 0.9."""
    logits = (np.eye(classes, dtype=np.float32) * np.float32(np.log(9 * (classes - 1))))[answered]
    if clusters is None:
        return Answers(logits=logits, targets=targets.astype(np.int64))
    return Answers(logits=logits, targets=targets.astype(np.int64), clusters=clusters)
