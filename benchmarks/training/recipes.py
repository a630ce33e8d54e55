"""`python -m benchmarks.training.recipes`: a baseline, an earlier recipe and today's, on the same images and folds.

Every image is answered by a model that has not seen its object. An earlier version, which knows no folds, is trained
once for each; its answers are those of its best epoch, which the held-out images chose: that favours it.
"""

import resource
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from contract.console import run_command
from contract.image import Contrast
from dataset.clusters import cluster_numbers
from dataset.config import DataOptions
from dataset.data_set import DataSet, load_data
from dataset.folds import deal_folds
from dataset.split_file import write_split_csv
from evaluation.answers import Answers
from evaluation.compare.paired import compare_pair
from evaluation.compare.run_answers import read_answers
from evaluation.intervals import Interval, widen_intervals
from evaluation.metrics import score
from evaluation.probe.out_of_fold import Probe
from training.baseline.config import BaselineConfig
from training.baseline.features import compute_features
from training.baseline.network import choose_network
from training.config import Architecture, TrainConfig
from training.folds.cross_validation import deal_out
from training.run_files import read_results
from training.train import train

console = Console(highlight=False, markup=False, soft_wrap=True, width=120)


@dataclass(frozen=True, kw_only=True)
class Options(DataOptions):
    """Compare ways to learn from the same images, from random weights."""

    before: Path | None = None
    """A checkout of an earlier version with its environment in .venv."""
    folds: int = 5
    """Parts that are held out in turn."""
    seeds: int = 3
    """Number of trainings of each kind; their seeds follow `seed`."""
    arch: Architecture = "resnet18"
    """Network architecture."""
    size: int = 64
    """Side of the square that the model sees, in pixels."""
    contrast: Contrast = "none"
    """What today's training does about different exposures."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Answers to all images by models that have not seen them, the accuracy on images that were trained on, and the
    CPU seconds of it all; today's recipe also trains a model on all images.
    """

    way: str
    seed: int
    answers: Answers
    training: float
    cpu_seconds: float


class Ways:
    """The ways to learn, each of which answers the images of `data` with a seed."""

    def __init__(self, options: Options, data: DataSet, root: Path) -> None:
        self.options, self.root, self.data = options, root, data
        self.examples = data.splits["train"]

    def baseline(self, seed: int) -> tuple[Answers, float]:
        """As `make baseline` does it from an untrained network."""
        config = BaselineConfig(data=self.options.data, out=self.root, weights="none")
        features = compute_features(choose_network(config, self.data), self.examples)
        return Probe(features, self.examples, self.options.folds, seed).answers(), float("nan")

    def earlier(self, seed: int) -> tuple[Answers, float]:
        """As the earlier version does it: once for each fold."""
        dealt = deal_folds(self.examples, self.options.folds, seed)
        names = [f"earlier-{seed}-{number}" for number in range(self.options.folds)]
        for number, name in enumerate(names):
            self._train_earlier(dealt == number, seed, name)
        return self._read(names)

    def recipe(self, seed: int) -> tuple[Answers, float]:
        """As `make train FOLDS=5` does it."""
        shared = {each.name: getattr(self.options, each.name) for each in fields(DataOptions)}
        config = TrainConfig(
            **shared | {"seed": seed},
            run=f"recipe-{seed}",
            runs=self.root,
            arch=self.options.arch,
            weights="none",
            size=self.options.size,
            contrast=self.options.contrast,
            folds=self.options.folds,
        )
        train(config)
        return self._read([config.run])

    def _train_earlier(self, held_out: NDArray[np.bool_], seed: int, name: str) -> None:
        assert self.options.before
        splits = {
            split: [example for example, out in zip(self.examples, held_out, strict=True) if out == (split == "val")]
            for split in ("train", "val")
        }
        table = self.root / f"{name}.csv"
        write_split_csv(self.data.labels, splits, table)
        given = {"data": table, "run": name, "runs": self.root, "arch": self.options.arch, "weights": "none"}
        given |= {"size": self.options.size, "seed": seed}
        python = self.options.before.absolute() / ".venv" / "bin" / "python"
        named = [text for option, value in given.items() for text in (f"--{option}", str(value))]
        subprocess.run(
            [python, "-m", "training", *named], cwd=self.options.before, check=True, stdout=subprocess.DEVNULL
        )

    def _read(self, runs: Sequence[str]) -> tuple[Answers, float]:
        """The answers of all runs together, in the order of the examples, and the mean accuracy in training."""
        found = dict[str, NDArray[np.float32]]()
        for run in runs:
            answers = read_answers(self.root / run, "val")
            found |= {example.sha256: row for example, row in zip(answers.examples, answers.logits, strict=True)}
        together = Answers(
            logits=np.stack([found[example.sha256] for example in self.examples]),
            targets=np.array([example.target for example in self.examples]),
            clusters=cluster_numbers(self.examples),
        )
        return together, mean(read_results(self.root / run)["training"]["accuracy"] for run in runs)


def compare(options: Options) -> None:
    """Measure each way with each seed, and print figures and differences."""
    data = deal_out(load_data(options), options.folds)
    found = []
    with TemporaryDirectory() as temporary:
        ways = Ways(options, data, Path(temporary))
        chosen = {"baseline": ways.baseline, "recipe": ways.recipe} | (
            {"earlier recipe": ways.earlier} if options.before else {}
        )
        for seed in range(options.seed, options.seed + options.seeds):
            for way, answer in chosen.items():
                started = _cpu_seconds()
                answers, training = answer(seed)
                seconds = _cpu_seconds() - started
                found.append(Outcome(way=way, seed=seed, answers=answers, training=training, cpu_seconds=seconds))
    _print_figures(found, data, options.folds)
    for other in (way for way in chosen if way != "recipe"):
        _print_differences(found, other, options.folds)


def _cpu_seconds() -> float:
    """Of this process and those that it has waited for."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _print_figures(found: Sequence[Outcome], data: DataSet, folds: int) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("", "seed", "accuracy (95 %)", "macro-F1 (95 %)", "in training", "CPU s"):
        table.add_column(name, justify="left" if not name else "right")
    for outcome in found:
        scores = widen_intervals(score(outcome.answers, data.labels).as_dict(), folds)
        figures = [_shown(scores[name], scores[f"{name}_interval"]) for name in ("accuracy", "macro_f1")]
        table.add_row(outcome.way, str(outcome.seed), *figures, f"{outcome.training:.2f}", f"{outcome.cpu_seconds:.0f}")
    console.print(table)


def _print_differences(found: Sequence[Outcome], other: str, folds: int) -> None:
    """What the recipe adds to another way, seed by seed, on the same images."""
    pairs = zip(*([each for each in found if each.way == way] for way in (other, "recipe")), strict=True)
    for before, after in pairs:
        paired = compare_pair(before.answers, after.answers, (1.0, 1.0), folds)
        told = [
            f"{name} {_shown(each.difference, each.interval)}"
            for name, each in (("accuracy", paired.accuracy), ("macro-F1", paired.macro_f1))
        ]
        console.print(f"recipe less {other}, seed {before.seed}: {'; '.join(told)}; McNemar p = {paired.mcnemar:.2g}")


def _shown(value: float, interval: Interval) -> str:
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


if __name__ == "__main__":
    run_command(lambda: compare(tyro.cli(Options, prog="python -m benchmarks.training.recipes")))
