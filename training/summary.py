"""The first and the last screen of a training run."""

from pathlib import Path
from typing import Any

from rich.console import Console

from evaluation.report import REPORT_FILE
from training.learning.trainer import Trainer
from training.run_files import read_config, read_results

# No markup: class names may hold brackets.
console = Console(highlight=False, markup=False, soft_wrap=True)


def print_start(trainer: Trainer) -> None:
    """What is about to be done, and where."""
    config, step = trainer.config, trainer.step
    precision = str(step.precision).removeprefix("torch.")
    console.print(f"Training {config.arch} at {config.size} px on {step.device} in {precision}, {config.epochs} epochs")


def print_summary(folder: Path) -> None:
    """What was made, how good it is, and what to type next."""
    results, config = read_results(folder), read_config(folder)
    console.print(f"Trained {config['arch']} in {folder} (best epoch {results['epoch']} of {config['epochs']})")
    for split in ("validation", "test"):
        if results[split]:
            console.print(f"  {split:10}  {describe_accuracy(results[split])}")
    console.print(f"  report      {folder / REPORT_FILE}")
    console.print(f"Next: make export RUN={folder.name}")


def describe_accuracy(scores: dict[str, Any]) -> str:
    """Accuracy in one line, with its interval and the weakest class."""
    low, high = scores["accuracy_interval"]
    confidence = f"95 % confidence interval {low:.3f} to {high:.3f}"
    line = f"accuracy {scores['accuracy']:.3f} on {scores['images']} images ({confidence})"
    weakest = min(scores["per_class"], key=lambda row: float(row["recall"]))
    if weakest["recall"] < 1:
        line += f", weakest class {weakest['label']} with recall {weakest['recall']:.3f}"
    return line
