"""The first and the last screen of a training run."""

import math
from pathlib import Path

from rich.console import Console

from evaluation.report import REPORT_FILE
from evaluation.words import describe_accuracy
from training.learning.trainer import Trainer
from training.recipe.words import describe
from training.run_files import read_config, read_results

# "Test again" is the test split without the images whose object is in another split too.
SPLITS = {"validation": "validation", "test": "test", "test_untouched": "test again"}

# No markup: class names may hold brackets.
console = Console(highlight=False, markup=False, soft_wrap=True)


def print_start(trainer: Trainer, threads: str) -> None:
    """What is about to be done, and where; `threads` says where cores are left idle."""
    config, step = trainer.config, trainer.step
    precision = str(step.precision).removeprefix("torch.")
    gain = f" ({step.gain:.1f} times as fast as float32 in timed steps)" if step.gain > 1 else ""
    where = f"{step.device} in {precision}{gain}" + (f", {threads}" if threads else "")
    console.print(f"Training {config.arch} at {config.size} px on {where}")
    for line in describe(config, trainer.plan, trainer.data):
        console.print(f"  {line}")


def print_probe(accuracy: float) -> None:
    """How good the last layer alone is, before anything else is tuned."""
    told = "" if math.isnan(accuracy) else f": accuracy {accuracy:.3f} on the validation images"
    console.print(f"  the last layer starts from a linear probe of the features{told}")


def print_summary(folder: Path) -> None:
    """What was made, how good it is, and what to type next."""
    results, config = read_results(folder), read_config(folder)
    epochs = results.get("epochs") or config["epochs"]
    console.print(f"Trained {config['arch']} in {folder} (best epoch {results['epoch']} of {epochs})")
    for name, shown in SPLITS.items():
        if results.get(name):
            first, second = describe_accuracy(results[name])
            shown = f"{config['folds']} folds" if name == "validation" and config.get("folds") else shown
            console.print(f"  {shown:10}  {first}\n{'':14}{second}")
    for sentence in results.get("verdicts", []):
        console.print(f"  note: {sentence}")
    console.print(f"  report      {folder / REPORT_FILE}")
    console.print(f"Next: make export RUN={folder.name}")
