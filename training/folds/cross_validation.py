"""A data set in, an answer to each of its images by a model that has not seen it out.

The test split is never touched. Nothing is chosen by the images that are answered: each fold is answered at the epoch
that was the best, in the median, of the other folds.
"""

import statistics
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dataset.clusters import cluster_numbers
from dataset.data_set import DataSet
from dataset.folds import check_folds, deal_folds, warnings_about_folds
from dataset.split_file import Example
from evaluation.answers import Answers
from evaluation.metrics import EpochScores, score_epoch
from training.config import TrainConfig
from training.folds.fold import FoldAnswers, OnSaved, train_fold
from training.recipe.plan import make_plan


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """`answers` to `examples`, all of training and validation, in raw logits; `folds` [N] says which model answered.

    `epoch` is the folds' median best epoch, and `curves` the pooled figures of each validated epoch.
    """

    examples: list[Example]
    answers: Answers
    folds: NDArray[np.int64]
    epoch: int
    curves: dict[int, EpochScores]


def deal_out(data: DataSet, folds: int) -> DataSet:
    """The data set with its validation images among those to train on, as each fold is held out in turn.

    Raises `DataError` where there are too few objects for so many folds.
    """
    examples = [*data.splits["train"], *data.splits.get("val", [])]
    check_folds(examples, folds)
    splits = {"train": examples, **{split: found for split, found in data.splits.items() if split == "test"}}
    pooled = data.in_folds()
    return replace(
        pooled, splits=splits, warnings=[*pooled.warnings, *warnings_about_folds(examples, data.labels, folds)]
    )


def cross_validate(config: TrainConfig, data: DataSet, on_saved: OnSaved) -> CrossValidation:
    """Train a model for each fold of the training images and pool their answers.

    Folds that are done are not trained again. `on_saved` is called whenever something more is safe on the disk.
    """
    examples = data.splits["train"]
    folds = deal_folds(examples, config.folds, config.seed)
    answered = []
    for number in range(config.folds):
        held_out = [example for example, fold in zip(examples, folds, strict=True) if fold == number]
        answered.append(train_fold(config, data, held_out, number + 1, on_saved))
    return _pool(examples, folds, answered)


def refit_config(config: TrainConfig, data: DataSet) -> TrainConfig:
    """The length of the training that all folds and the last model share, so that their epochs can be compared."""
    counts = [round(images * (1 - 1 / config.folds)) for images in data.count("train").values()]
    plan = make_plan(config, [max(1, images) for images in counts])
    return replace(config, epochs=plan.epochs, steps=None, batch=plan.batch)


def _pool(examples: list[Example], folds: NDArray[np.int64], answered: list[FoldAnswers]) -> CrossValidation:
    best = [fold.best for fold in answered]
    chosen = [round(statistics.median(best[:number] + best[number + 1 :])) for number in range(len(best))]
    common = sorted(set.intersection(*(set(fold.epochs) for fold in answered)))
    return CrossValidation(
        examples=examples,
        answers=_gather(examples, folds, answered, chosen),
        folds=folds,
        epoch=round(statistics.median(best)),
        curves={epoch: score_epoch(_gather(examples, folds, answered, [epoch] * len(best))) for epoch in common},
    )


def _gather(
    examples: list[Example], folds: NDArray[np.int64], answered: list[FoldAnswers], epochs: list[int]
) -> Answers:
    """The answers of all folds, each at its epoch, in the order of the examples."""
    logits = np.zeros((len(examples), answered[0].logits.shape[2]), np.float32)
    for number, (fold, epoch) in enumerate(zip(answered, epochs, strict=True)):
        logits[folds == number] = fold.at(epoch)
    targets = np.array([example.target for example in examples])
    return Answers(logits=logits, targets=targets, clusters=cluster_numbers(examples))
