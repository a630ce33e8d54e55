"""Histories, counts and curves in, PNG files out: each at most about 2,000 px a side, whatever is drawn."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from noto_cjk_sans_otc import FONT_PATH
from numpy.typing import NDArray
from sklearn.metrics import ConfusionMatrixDisplay

from contract.text import printable
from evaluation.curves import ClassCurve, CoveragePoint, ReliabilityBin

DPI = 120
# Inches; 16 are 1,920 px.
LARGEST_SIDE = 15.0
MOST_CELLS_WITH_NUMBERS = 30
MOST_TICK_LABELS = 60
LONGEST_NAME = 24
# More curves in one plot are not told apart: those with the most to improve are drawn.
MOST_CURVES = 10

font_manager.fontManager.addfont(str(FONT_PATH))
matplotlib.rcParams["font.family"] = ["DejaVu Sans", "Noto Sans CJK JP"]
# "$10_$20" is a name, not mathematics (matplotlib/matplotlib#20266).
matplotlib.rcParams["text.parse_math"] = False


def shown(name: str) -> str:
    """A name in one short line: white space becomes one space, what can't be printed an escape."""
    line = printable(" ".join(name.split()))
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"


def _new_figure(width: float = 6, height: float = 3.6) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained", dpi=DPI)
    return figure, figure.add_subplot()


def _save(figure: Figure, path: Path) -> None:
    with warnings.catch_warnings():
        # No font has every character; a box is drawn in its place, and the page beside it has the name.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path)


def plot_curves(history: Sequence[dict[str, float]], quantity: str, best_epoch: int, path: Path) -> None:
    """Train and validation `quantity` ("accuracy" or "loss") by epoch; the best epoch is marked."""
    figure, axes = _new_figure()
    epochs = [record["epoch"] for record in history]
    for split, name in (("train", "training (augmented images)"), ("val", "validation")):
        axes.plot(epochs, [record[f"{split}_{quantity}"] for record in history], marker=".", label=name)
    axes.axvline(best_epoch, color="grey", linestyle=":", label=f"best epoch, {best_epoch}")
    axes.set(xlabel="epoch", ylabel=quantity, title=quantity.capitalize())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def plot_confusion(confusion: Sequence[Sequence[int]], names: Sequence[str], title: str, path: Path) -> None:
    """Images counted by true class (rows) and answer (columns).

    Colours are shares of the row, so that a rare class shows as much as a common one. Above 30 classes the cells have
    no numbers, and above 60 the axes no names: `top_confusions` says what is seen there.
    """
    counts = np.array(confusion)
    side = min(2.5 + 0.6 * len(names), LARGEST_SIDE)
    figure, axes = _new_figure(side + 1, side)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    if len(names) <= MOST_CELLS_WITH_NUMBERS:
        _draw_cells(axes, counts, shares)
    else:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    _name_classes(axes, names)
    axes.set(title=shown_title(title), xlabel="predicted class", ylabel="true class")
    _save(figure, path)


def _draw_cells(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    display = ConfusionMatrixDisplay(shares)
    display.plot(ax=axes, cmap="Blues", colorbar=False, im_kw={"vmin": 0, "vmax": 1})
    for text, count in zip(display.text_.ravel(), counts.ravel(), strict=True):
        text.set(text=str(count), fontsize=10 if len(counts) <= 15 else 7)


def _name_classes(axes: Axes, names: Sequence[str]) -> None:
    if len(names) > MOST_TICK_LABELS:
        axes.set(xticks=[], yticks=[])
        return
    labels, places = [shown(name) for name in names], np.arange(len(names))
    size = 10 if len(names) <= 15 else 7
    axes.set_xticks(places, labels, rotation=30 if len(names) <= 15 else 90, fontsize=size)
    axes.set_yticks(places, labels, fontsize=size)


def shown_title(title: str) -> str:
    """A title in one line, which may be longer than a name."""
    return " ".join(printable(title).split())


def plot_precision_recall(curves: Sequence[ClassCurve], path: Path) -> None:
    """Precision over recall, a curve for each class; of many, the 10 with the lowest average precision."""
    figure, axes = _new_figure(6, 4.8)
    for curve in sorted(curves, key=lambda curve: curve.average_precision)[:MOST_CURVES]:
        label = f"{shown(curve.label)}, average precision {curve.average_precision:.3f}"
        axes.step(curve.recall, curve.precision, where="post", label=label)
    _finish_curves(axes, curves, "Precision and recall")
    axes.set(xlabel="recall (sensitivity)", ylabel="precision")
    _save(figure, path)


def plot_roc(curves: Sequence[ClassCurve], path: Path) -> None:
    """Sensitivity over false alarms, a curve for each class; of many, the 10 with the smallest area."""
    figure, axes = _new_figure(6, 4.8)
    for curve in sorted(curves, key=lambda curve: curve.auc)[:MOST_CURVES]:
        label = f"{shown(curve.label)}, area {curve.auc:.3f}"
        axes.plot(curve.false_positive_rate, curve.true_positive_rate, label=label)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="chance")
    _finish_curves(axes, curves, "ROC")
    axes.set(xlabel="false alarms: share of other classes (1 - specificity)", ylabel="recall (sensitivity)")
    _save(figure, path)


def _finish_curves(axes: Axes, curves: Sequence[ClassCurve], title: str) -> None:
    cut = f" of the weakest {MOST_CURVES} of {len(curves)} classes" if len(curves) > MOST_CURVES else ""
    axes.set(title=f"{title}{cut}", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)


def plot_risk_coverage(points: Sequence[CoveragePoint], proposed: CoveragePoint | None, path: Path) -> None:
    """Error among the answered over the share answered; the proposed threshold is marked."""
    figure, axes = _new_figure()
    coverage = [point.coverage for point in points]
    axes.plot(coverage, [point.error for point in points], marker=".", label="error")
    axes.plot(coverage, [point.error_high for point in points], linestyle=":", label="95 % upper bound")
    if proposed:
        axes.axvline(proposed.coverage, color="grey", label=f"unsure below a confidence of {proposed.threshold:.3f}")
    axes.set(xlabel="share of the images that is answered", ylabel="error among these", title="Risk and coverage")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def plot_reliability(bins: Sequence[ReliabilityBin], path: Path) -> None:
    """The share that is right over confidence, with 95 % intervals; honest probabilities lie on the diagonal."""
    figure, axes = _new_figure(4.8, 4.8)
    confidence, accuracy = [entry.confidence for entry in bins], [entry.accuracy for entry in bins]
    reach = np.array([np.abs(np.array(entry.accuracy_interval) - entry.accuracy) for entry in bins]).T
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="honest")
    axes.errorbar(
        confidence, accuracy, yerr=reach, marker="o", linestyle="none", capsize=2, label="images by confidence"
    )
    axes.set(xlabel="confidence", ylabel="share that is right", title="Reliability", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)
