"""A run's figures in, `report.html` and its pictures out: everything a person needs to judge the model."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contract import ClassLabel
from contract.atomic import write_text_atomically
from evaluation.plots import plot_confusion, plot_curves

REPORT_FILE = "report.html"
TEMPLATE = "report.html.j2"


def write_report(
    folder: Path,
    config: dict[str, Any],
    results: dict[str, Any],
    history: Sequence[dict[str, float]],
    classes: Sequence[ClassLabel],
) -> None:
    """Write accuracy.png, loss.png, confusion_matrix.png and report.html into the run's folder."""
    split = "test" if results["test"] else "validation"
    for quantity in ("accuracy", "loss"):
        plot_curves(history, quantity, results["epoch"], folder / f"{quantity}.png")
    names = [entry.label for entry in classes]
    plot_confusion(
        results[split]["confusion"], names, f"Confusion matrix of the {split} images", folder / "confusion_matrix.png"
    )
    page = (
        _environment()
        .get_template(TEMPLATE)
        .render(
            results=results,
            split=split,
            scores=results[split],
            display_names={entry.label: entry.display_name for entry in classes},
            config=config,
            pictures={name: _embedded(folder / f"{name}.png") for name in ("accuracy", "loss", "confusion_matrix")},
        )
    )
    write_text_atomically(folder / REPORT_FILE, page)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    return environment


def _embedded(path: Path) -> str:
    """A picture as a data URL: the report can be mailed as one file."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
