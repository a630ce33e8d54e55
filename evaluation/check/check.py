"""The path of a check: images, findings, shortcuts, page."""

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from contract.text import counted
from dataset.data_set import DataSet, load_data
from evaluation.check.config import CheckConfig
from evaluation.check.findings import Findings, find
from evaluation.check.page import write_page
from evaluation.check.shortcuts import Shortcut, find_shortcuts, sentences

# The page lists them all.
MOST_CLASSES = 50

# No markup: class names may hold brackets.
console = Console(highlight=False, markup=False, soft_wrap=True)


def check(config: CheckConfig) -> None:
    """Check the images, say what was found and write the page; unreadable files are named and do not stop the check.

    Raises `DataError`, `OSError`.
    """
    report = examine(load_data(replace(config, skip_unreadable=True)))
    report.print()
    config.out.parent.mkdir(parents=True, exist_ok=True)
    report.write(f"Check of {config.data}", config.out)
    console.print(f"Page: {config.out}")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What there is to know about a data set before training."""

    data: DataSet
    findings: Findings
    shortcuts: list[Shortcut]

    def print(self) -> None:
        """Say it on the screen."""
        print_counts(self.data)
        for sentence in (*self._objects(), self.findings.imbalance, self.findings.exposure, *sentences(self.shortcuts)):
            if sentence:
                console.print(f"{sentence}.")

    def _objects(self) -> list[str]:
        clusters = self.findings.clusters
        images = sum(len(cluster) for cluster in clusters)
        return [f"{images} images show {counted(len(clusters), 'object')} and stay together"] if clusters else []

    def write(self, title: str, path: Path) -> None:
        """Write the page. Raises `OSError`."""
        write_page(self.data, self.findings, self.shortcuts, title, path)


def examine(data: DataSet) -> Report:
    """Find everything that needs no model."""
    return Report(data=data, findings=find(data), shortcuts=find_shortcuts(data))


def print_counts(data: DataSet) -> None:
    """How many images each class has in each split, and every note and warning."""
    table = Table(box=None, pad_edge=False)
    table.add_column("images")
    for split in data.splits:
        table.add_column(split, justify="right")
    for entry in data.classes[:MOST_CLASSES]:
        shown = entry.label if entry.display_name == entry.label else f"{entry.label} ({entry.display_name})"
        table.add_row(shown, *(str(data.count(split)[entry.label]) for split in data.splits))
    console.print(table)
    if len(data.classes) > MOST_CLASSES:
        console.print(f"… and {len(data.classes) - MOST_CLASSES} more classes")
    for note in data.notes:
        console.print(f"note: {note}")
    for warning in data.warnings:
        console.print(f"warning: {warning}")
