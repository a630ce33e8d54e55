"""The first and the last screen of a training run."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from dataset.data_set import DataSet
from evaluation.report import REPORT_FILE
from evaluation.words import describe_accuracy
from training.learning.trainer import Trainer
from training.run_files import read_config, read_results

# No markup: class names may hold brackets.
console = Console(highlight=False, markup=False, soft_wrap=True)


def print_data(data: DataSet) -> None:
    """How many images each class has in each split, and every warning."""
    table = Table(box=None, pad_edge=False)
    table.add_column("images")
    for split in data.splits:
        table.add_column(split, justify="right")
    for entry in data.classes:
        shown = entry.label if entry.display_name == entry.label else f"{entry.label} ({entry.display_name})"
        table.add_row(shown, *(str(data.count(split)[entry.label]) for split in data.splits))
    console.print(table)
    for note in data.notes:
        console.print(f"note: {note}")
    for warning in data.warnings:
        console.print(f"warning: {warning}")


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
            first, second = describe_accuracy(results[split])
            console.print(f"  {split:10}  {first}\n{'':14}{second}")
    for sentence in results.get("verdicts", []):
        console.print(f"  note: {sentence}")
    console.print(f"  report      {folder / REPORT_FILE}")
    console.print(f"Next: make export RUN={folder.name}")
