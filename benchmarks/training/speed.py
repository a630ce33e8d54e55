"""`python -m benchmarks.training.speed`: images per second in training, beside a plain loop and an earlier version.

They take turns, epoch by epoch, so what else the machine does falls on each of them alike; an earlier version is
trained as a whole after them. The first epoch of each, which decodes and warms up, does not count.
"""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.training.leaves import draw_leaves
from benchmarks.training.plain_loop import PlainLoop
from contract.console import run_command
from dataset.data_set import load_data
from training.config import Architecture, TrainConfig
from training.learning.engine import Sums, train_one_epoch
from training.learning.trainer import Trainer, build_trainer
from training.model.device import make_deterministic
from training.run_files import read_history

CLASSES = 4

Epoch = Callable[[], int]
"""One epoch; returns how many images were seen."""

console = Console(highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Compare the speed of training."""

    arch: Architecture = "resnet18"
    """Network architecture."""
    size: int = 64
    """Side of the square that the model sees, in pixels."""
    batch: int = 32
    """Images in each step."""
    images: int = 640
    """Number of drawn leaves in an epoch."""
    epochs: int = 5
    """Epochs that count; the median is shown."""
    workers: int = 1
    """Threads or processes that prepare images."""
    before: Path | None = None
    """A checkout of an earlier version with its environment in .venv, which is measured too."""


def compare(options: Options) -> None:
    """Draw leaves, let everything take turns, print."""
    make_deterministic(0)
    with TemporaryDirectory() as temporary:
        config = _prepare(options, Path(temporary))
        trainer = build_trainer(config, load_data(config), fresh=True)
        found = _take_turns(_contestants(options, trainer, config.data / "train"), options.epochs)
        if options.before:
            found[f"make train of {options.before.name}"] = _before(options.before, config)
    _report(options, trainer, found)


def _prepare(options: Options, root: Path) -> TrainConfig:
    """Leaves in `root`, and what to train on them."""
    draw_leaves(root / "learn" / "train", (options.images // CLASSES,) * CLASSES, seed=1)
    draw_leaves(root / "learn" / "val", (2,) * CLASSES, seed=2)
    return TrainConfig(
        data=root / "learn",
        run="speed",
        runs=root / "runs",
        arch=options.arch,
        weights="none",
        size=options.size,
        batch=options.batch,
        epochs=options.epochs + 1,
        workers=options.workers,
        balance="none",
        # The trainer's steps are taken by several contestants: more than a schedule would have planned.
        schedule="constant",
    )


def _take_turns(contestants: dict[str, Epoch], epochs: int) -> dict[str, float]:
    """The median of each one's images per second."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(epochs + 1):
        for name, epoch in contestants.items():
            rates[name].append(_rate(epoch))
    return {name: median(values[1:]) for name, values in rates.items()}


def _contestants(options: Options, trainer: Trainer, folder: Path) -> dict[str, Epoch]:
    def plain(precision: torch.dtype) -> Epoch:
        return PlainLoop(folder, options.arch, options.size, options.batch, options.workers, precision).epoch

    found = {
        "our training": _ours(trainer),
        "our steps, without loading": _bare(trainer),
        "our loader alone": _loader(trainer),
        "plain loop, float32": plain(torch.float32),
    }
    if trainer.step.precision != torch.float32:
        found[f"plain loop, {_name(trainer.step.precision)}"] = plain(trainer.step.precision)
    return found


def _ours(trainer: Trainer) -> Epoch:
    def epoch() -> int:
        sums = Sums()
        train_one_epoch(trainer.model, trainer.batches, trainer.step, sums, lambda _images, _loss: None)
        trainer.batches.epoch += 1
        return sums.seen

    return epoch


def _bare(trainer: Trainer) -> Epoch:
    """The same steps on one batch that stays in memory."""
    batch = next(iter(trainer.batches))
    count = len(trainer.batches)

    def epoch() -> int:
        sums = Sums()
        train_one_epoch(trainer.model, [batch] * count, trainer.step, sums, lambda _images, _loss: None)
        return sums.seen

    return epoch


def _loader(trainer: Trainer) -> Epoch:
    return lambda: sum(len(targets) for _, targets in trainer.batches)


def _rate(epoch: Epoch) -> float:
    """Images per second."""
    started = time.perf_counter()
    seen = epoch()
    return seen / (time.perf_counter() - started)


def _before(checkout: Path, config: TrainConfig) -> float:
    """What `python -m training` of another checkout says of its own speed, on the same images."""
    shared = ("data", "runs", "arch", "weights", "size", "batch", "epochs", "workers")
    named = [text for name in shared for text in (f"--{name}", str(getattr(config, name)))]
    command = [str(checkout.absolute() / ".venv" / "bin" / "python"), "-m", "training", "--run", "before", *named]
    subprocess.run(command, cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    return median(record["images_per_s"] for record in read_history(config.runs / "before")[1:])


def _report(options: Options, trainer: Trainer, found: dict[str, float]) -> None:
    console.print(
        f"{options.arch} at {options.size} px, batch {options.batch}, {options.workers} workers, on "
        f"{trainer.step.device} in {_name(trainer.step.precision)}, {torch.get_num_threads()} threads"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("", "images/s", "our training / this"):
        table.add_column(name, justify="left" if not name else "right")
    for name, rate in found.items():
        table.add_row(name, f"{rate:.1f}", f"{found['our training'] / rate:.2f}")
    console.print(table)


def _name(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")


if __name__ == "__main__":
    run_command(lambda: compare(tyro.cli(Options, prog="python -m benchmarks.training.speed")))
