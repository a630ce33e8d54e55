"""How a run is judged while it trains: which images are looked at, which epoch is the best, when it is over."""

from collections.abc import Collection
from typing import Protocol

from evaluation.answers import Answers
from evaluation.check.findings import IMBALANCED
from evaluation.metrics import EpochScores, score_epoch

Record = dict[str, float]


class Look(Protocol):
    """Gives the model's answers to the validation images."""

    def __call__(self, *, exact: bool) -> Answers:
        """In float32, as they are served, if `exact`; else in the precision of the training steps, which is faster."""
        ...


class Judge(Protocol):
    """Judges the epochs of one run. A history has one record for each validated epoch."""

    def look(self, epoch: int, answer: Look) -> EpochScores:
        """The figures of an epoch; `answer` gives the model's answers to the validation images."""
        ...

    def best(self, history: list[Record]) -> int:
        """The epoch whose model is kept."""
        ...

    def is_over(self, history: list[Record]) -> bool:
        """Whether training stops here."""
        ...


class ByValidation:
    """Looks at the validation images, keeps the best epoch, and stops when nothing becomes better.

    `images` are the training images of each class, `patience` the validations without a better one; 0: never stops.
    """

    def __init__(self, images: Collection[int], patience: int) -> None:
        self._figure = "val_macro_f1" if max(images) > IMBALANCED * min(images) else "val_accuracy"
        self._patience = patience

    def look(self, epoch: int, answer: Look) -> EpochScores:
        """The figures of the validation images."""
        return score_epoch(answer(exact=False))

    def best(self, history: list[Record]) -> int:
        """The epoch with the highest validation accuracy; of equals, the one with the lowest loss.

        Beyond 3 : 1, macro-F1 decides in place of accuracy, which would choose an epoch that always answers the largest
        class.
        """
        return int(max(history, key=lambda record: (record[self._figure], -record["val_loss"]))["epoch"])

    def is_over(self, history: list[Record]) -> bool:
        """Whether the last validations brought neither a better epoch nor a lower loss."""
        if not self._patience or len(history) <= self._patience:
            return False
        last = {record["epoch"] for record in history[-self._patience :]}
        lowest = min(history, key=lambda record: record["val_loss"])["epoch"]
        return not last & {self.best(history), lowest}
