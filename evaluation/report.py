"""Figures in, a page out that can be judged and mailed alone: of a training run, or of one set of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract import ClassLabel
from contract.atomic import write_text_atomically
from evaluation.curves import CoveragePoint
from evaluation.metrics import top_confusions
from evaluation.mistakes.mistakes import MISTAKES_FOLDER, read_mistakes
from evaluation.pages import Filters, embedded, render
from evaluation.plots import plot_confusion, plot_curves
from evaluation.thresholds import OperatingPoint
from evaluation.words import p_value

REPORT_FILE = "report.html"
CONFUSION_FILE = "confusion_matrix.png"
MOST_CONFUSIONS = 20
PICTURES = ("accuracy", "loss", "confusion_matrix", "augmentation")


@dataclass(frozen=True, kw_only=True)
class SplitPage:
    """What a page about one set of images shows; `scores` is `Scores.as_dict`, `pictures` are PNG files by title."""

    title: str
    split: str
    scores: Mapping[str, Any]
    temperature: float
    classes: Sequence[ClassLabel]
    facts: Sequence[str] = ()
    verdicts: Sequence[str] = ()
    warnings: Sequence[str] = ()
    pictures: Mapping[str, Path] = field(default_factory=dict)
    operating_point: OperatingPoint | None = None
    unsure: CoveragePoint | None = None


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
    draw_confusion(results[split], classes, split, folder / CONFUSION_FILE)
    page = render(
        Path(__file__).with_name("report.html.j2"),
        _filters(),
        results=results,
        split=split,
        scores=results[split],
        rows=_rows(results),
        confusions=_confusions(results[split], classes),
        display_names=_display_names(classes),
        config=config,
        mistakes=read_mistakes(folder / MISTAKES_FOLDER),
        mistakes_folder=folder / MISTAKES_FOLDER,
        pictures={path.stem: embedded(path) for name in PICTURES if (path := folder / f"{name}.png").exists()},
    )
    write_text_atomically(folder / REPORT_FILE, page)


def write_split_report(page: SplitPage, path: Path) -> None:
    """Write the page about one set of images, with its pictures inside."""
    text = render(
        Path(__file__).with_name("split.html.j2"),
        _filters(),
        page=page,
        confusions=_confusions(page.scores, page.classes),
        display_names=_display_names(page.classes),
        pictures={title: embedded(picture) for title, picture in page.pictures.items()},
    )
    write_text_atomically(path, text)


def draw_confusion(scores: Mapping[str, Any], classes: Sequence[ClassLabel], split: str, path: Path) -> None:
    """The confusion matrix of a split as a PNG."""
    names = [entry.label for entry in classes]
    plot_confusion(scores["confusion"], names, f"Confusion matrix of the {split} images", path)


def _rows(results: Mapping[str, Any]) -> dict[str, Any]:
    """The splits that were measured, by the name that is shown."""
    names = {
        "test": "test",
        "test_untouched": "test, without objects that are in another split too",
        "validation": "validation",
        "training": "training (not augmented)",
    }
    return {shown: results[name] for name, shown in names.items() if results.get(name)}


def _confusions(scores: Mapping[str, Any], classes: Sequence[ClassLabel]) -> list[Any]:
    return list(top_confusions(scores["confusion"], [entry.label for entry in classes], MOST_CONFUSIONS))


def _display_names(classes: Sequence[ClassLabel]) -> dict[str, str]:
    return {entry.label: entry.display_name for entry in classes}


def _filters() -> Filters:
    return {"percent": _percent, "figure": _figure, "p_value": p_value, "embedded": embedded}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _figure(row: Mapping[str, Any] | object, name: str, interval: str = "") -> str:
    """A figure with its interval in brackets."""
    values = row if isinstance(row, Mapping) else vars(row)
    low, high = values[interval or f"{name}_interval"]
    return f"{values[name]:.3f} ({low:.3f} to {high:.3f})"
