"""`python -m benchmarks.training.imbalance`: what balancing is worth on drawn leaves in unequal numbers.

Each seed trains twice from random weights, with the same steps: plainly, and as `make train` does it. Both answer the
same 4,000 new leaves.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.metrics import f1_score, recall_score

from benchmarks.training.leaves import draw_leaves
from contract import Adjustment
from contract.console import run_command
from dataset.data_set import load_data
from dataset.sample import LESIONS
from dataset.split_file import Example
from training.config import TrainConfig
from training.learning import checkpoint
from training.learning.trainer import build_trainer
from training.run_files import read_results
from training.train import train

Ints = NDArray[np.int64]
Balance = Literal["none", "auto"]

COUNTS = (500, 85, 37, 8)
TESTED = 1000
RESAMPLES = 1000

console = Console(highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Compare plain training with balanced training."""

    seeds: int = 3
    """Number of trainings of each kind."""
    counts: tuple[int, ...] = field(default=COUNTS)
    """Images of each of the four classes to learn from; a fifth of them validates."""
    size: int = 64
    """Side of the square that the model sees, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one training answered to the test images, int64 [N], and what it took."""

    answered: Ints
    targets: Ints
    steps: int
    cpu_seconds: float

    def macro_f1(self, chosen: Ints | slice = slice(None)) -> float:
        """Over some of the test images, or all."""
        return float(f1_score(self.targets[chosen], self.answered[chosen], average="macro"))

    @property
    def recalls(self) -> NDArray[np.float64]:
        """The recall of each class."""
        return np.asarray(recall_score(self.targets, self.answered, average=None))

    def accuracy_at(self, shares: NDArray[np.float64]) -> float:
        """The accuracy on images whose classes have these shares."""
        return float((self.recalls * shares).sum())


def compare(options: Options) -> None:
    """Draw, train, answer, print."""
    outcomes: dict[Balance, list[Outcome]] = {"none": [], "auto": []}
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        draw_leaves(root / "learn", options.counts, seed=11)
        test = draw_leaves(root / "test", (TESTED,) * len(LESIONS), seed=12)
        for seed in range(options.seeds):
            for balance, found in outcomes.items():
                found.append(_run(root, balance, seed, options.size, test))
    _report(outcomes, np.array(options.counts) / sum(options.counts))


def _run(root: Path, balance: Balance, seed: int, size: int, test: list[Example]) -> Outcome:
    config = TrainConfig(
        data=root / "learn",
        run=f"{balance}-{seed}",
        runs=root / "runs",
        arch="resnet18",
        weights="none",
        size=size,
        seed=seed,
        shares="80/20",
        balance=balance,
        patience=0,
    )
    started = time.process_time()
    train(config)
    seconds = time.process_time() - started
    trainer = build_trainer(config, load_data(config), fresh=False)
    trainer.model.load_state_dict(checkpoint.load_best(config.folder).model.state_dict())
    adjustment = Adjustment.from_dict(read_results(config.folder)["adjustment"])
    answers = trainer.answers(test).adjusted(adjustment)
    return Outcome(answered=answers.answered, targets=answers.targets, steps=trainer.plan.steps, cpu_seconds=seconds)


def _report(outcomes: dict[Balance, list[Outcome]], shares: NDArray[np.float64]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("BALANCE", "seed", "steps", "CPU s", "macro-F1", "rarest recall", "accuracy at shares"):
        table.add_column(name, justify="right")
    for balance, found in outcomes.items():
        for seed, outcome in enumerate(found):
            figures = (outcome.macro_f1(), outcome.recalls[-1], outcome.accuracy_at(shares))
            row = (str(seed), str(outcome.steps), f"{outcome.cpu_seconds:.0f}", *(f"{value:.3f}" for value in figures))
            table.add_row(balance, *row)
    console.print(table)
    plain, balanced = outcomes["none"], outcomes["auto"]
    gain, low, high = paired_gain(plain, balanced)
    missing = 1 - float(np.mean([outcome.macro_f1() for outcome in plain]))
    console.print(
        f"macro-F1 rises by {gain:.3f} (95 % confidence interval {low:.3f} to {high:.3f}): {gain / missing:.0%} of "
        "what plain training lacks"
    )


def paired_gain(plain: list[Outcome], balanced: list[Outcome]) -> tuple[float, float, float]:
    """The mean difference in macro-F1 over the seeds, and its interval over the test images (percentile bootstrap)."""
    rng, count = np.random.default_rng(0), len(plain[0].targets)

    def gain(chosen: Ints | slice) -> float:
        pairs = zip(plain, balanced, strict=True)
        return float(np.mean([after.macro_f1(chosen) - before.macro_f1(chosen) for before, after in pairs]))

    resampled = [gain(rng.integers(0, count, count)) for _ in range(RESAMPLES)]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return gain(slice(None)), float(low), float(high)


if __name__ == "__main__":
    run_command(lambda: compare(tyro.cli(Options, prog="python -m benchmarks.training.imbalance")))
