"""The cross-validation in, a judge of the last model out, which learns from all images and has none to look at."""

from evaluation.metrics import EpochScores
from training.folds.cross_validation import CrossValidation
from training.learning.judge import Look, Record


class RefitJudge:
    """Stops at the folds' median best epoch, and keeps that one; the figures of an epoch are those of the folds."""

    def __init__(self, cross: CrossValidation) -> None:
        self._cross = cross

    def look(self, epoch: int, answer: Look) -> EpochScores:
        """The pooled figures of the folds at the validated epoch nearest to `epoch`."""
        return self._cross.curves[min(self._cross.curves, key=lambda each: abs(each - epoch))]

    def best(self, history: list[Record]) -> int:
        """The last one."""
        return int(history[-1]["epoch"])

    def is_over(self, history: list[Record]) -> bool:
        """Whether the folds' epoch is reached."""
        return self.best(history) >= self._cross.epoch
