"""One fold in, the answers to its images at every validated epoch out, from a model that learned from the others."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.atomic import write_atomically
from contract.text import counted
from dataset.data_set import DataSet
from dataset.split_file import Example
from evaluation.metrics import EpochScores, score_epoch
from training.config import TrainConfig
from training.learning import checkpoint
from training.learning.fit import fit
from training.learning.judge import ByValidation, Look, Record
from training.learning.probe import start_head
from training.learning.trainer import build_trainer
from training.run_files import FOLDS, LAST

ANSWERS_FILE = "answers.npz"
OnSaved = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class FoldAnswers:
    """Logits float32 [E, N, C] of the N held-out images at each of the E validated `epochs`; `best` is one of them."""

    epochs: list[int]
    logits: NDArray[np.float32]
    best: int

    def at(self, epoch: int) -> NDArray[np.float32]:
        """The logits [N, C] at the validated epoch nearest to `epoch`."""
        found: NDArray[np.float32] = self.logits[int(np.abs(np.array(self.epochs) - epoch).argmin())]
        return found


class KeepingJudge(ByValidation):
    """Judges by the fold's images, keeps the answers to them, and never stops early: epochs must be comparable."""

    def __init__(self, data: DataSet, kept: dict[int, NDArray[np.float32]]) -> None:
        super().__init__(data.count("train").values(), patience=0)
        self.kept = kept

    def look(self, epoch: int, answer: Look) -> EpochScores:
        """The figures of the fold's images."""
        answers = answer(exact=True)
        self.kept[epoch] = answers.logits
        return score_epoch(answers)


def train_fold(
    config: TrainConfig, data: DataSet, held_out: list[Example], number: int, on_saved: OnSaved
) -> FoldAnswers:
    """Train on all other training images; a fold that was begun goes on, one that is done is read."""
    own = replace(config, runs=config.folder / FOLDS, run=str(number), folds=0)
    done = own.folder / ANSWERS_FILE
    if done.exists():
        print(f"Fold {number} of {config.folds} was done before")
        return _read(done)
    print(f"Fold {number} of {config.folds}: {counted(len(held_out), 'image')} held out")
    part = replace(data, splits={"train": _others(data, held_out), "val": held_out})
    state = checkpoint.load(own.folder / LAST) if (own.folder / LAST).exists() else None
    judge = KeepingJudge(part, _read_partial(own.folder))
    trainer = build_trainer(own, part, fresh=state is None, judge=judge)

    if trainer.fresh_head:
        start_head(trainer)

    def keep() -> None:
        _write_partial(judge.kept, own.folder)
        on_saved()

    history = fit(trainer, state, keep)
    answers = _finished(history, judge)
    write_atomically(done, lambda file: np.savez(file, epochs=answers.epochs, logits=answers.logits, best=answers.best))
    checkpoint.discard(own.folder)
    return answers


def _others(data: DataSet, held_out: list[Example]) -> list[Example]:
    taken = {example.path for example in held_out}
    return [example for example in data.splits["train"] if example.path not in taken]


def _finished(history: list[Record], judge: KeepingJudge) -> FoldAnswers:
    epochs = sorted(judge.kept)
    return FoldAnswers(
        epochs=epochs, logits=np.stack([judge.kept[epoch] for epoch in epochs]), best=judge.best(history)
    )


def _read(path: Path) -> FoldAnswers:
    with np.load(path, allow_pickle=False) as kept:
        return FoldAnswers(epochs=kept["epochs"].tolist(), logits=kept["logits"], best=int(kept["best"]))


def _write_partial(kept: dict[int, NDArray[np.float32]], folder: Path) -> None:
    """What a fold has answered so far: a fold that goes on must not answer its first epochs again."""
    named = {str(epoch): logits for epoch, logits in kept.items()}
    write_atomically(folder / "partial.npz", lambda file: np.savez(file, **named))  # type: ignore[arg-type]


def _read_partial(folder: Path) -> dict[int, NDArray[np.float32]]:
    path = folder / "partial.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as kept:
        return {int(epoch): kept[epoch] for epoch in kept.files}
