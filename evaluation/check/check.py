"""The path of a check: images, findings, shortcuts, page."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dataset.data_set import DataSet, load_data
from evaluation.check.config import CheckConfig
from evaluation.check.findings import Findings, find
from evaluation.check.page import write_page
from evaluation.check.shortcuts import Shortcut, find_shortcuts, sentences

# No markup: class names may hold brackets.
console = Console(highlight=False, markup=False, soft_wrap=True)


def check(config: CheckConfig) -> None:
    """Check the images, say what was found and write the page; unreadable files are named and do not stop the check.

    Raises `DataError`, `OSError`.
    """
    data = load_data(replace(config, skip_unreadable=True))
    findings, shortcuts = report(data)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    write_page(data, findings, shortcuts, f"Check of {config.data}", config.out)
    console.print(f"page: {config.out}")


def report(data: DataSet) -> tuple[Findings, list[Shortcut]]:
    """Find what there is to know, and print it."""
    print_counts(data)
    findings, shortcuts = find(data), find_shortcuts(data)
    several = sum(len(cluster) for cluster in findings.clusters)
    if findings.clusters:
        console.print(
            f"{len(findings.clusters)} objects are shown by several images ({several} in all), which stay together"
        )
    if findings.imbalance:
        console.print(findings.imbalance)
    for sentence in sentences(shortcuts):
        console.print(sentence)
    return findings, shortcuts


def print_counts(data: DataSet) -> None:
    """How many images each class has in each split, and every note and warning."""
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


def page_for(data: DataSet, findings: Findings, shortcuts: list[Shortcut], path: Path) -> None:
    """The page of the images of a run."""
    write_page(data, findings, shortcuts, f"Images of the run {path.parent.name}", path)
