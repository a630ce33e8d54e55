"""Histories and confusion counts in, PNG files out."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from noto_cjk_sans_otc import FONT_PATH
from sklearn.metrics import ConfusionMatrixDisplay

DPI = 120

font_manager.fontManager.addfont(str(FONT_PATH))
matplotlib.rcParams["font.family"] = ["DejaVu Sans", "Noto Sans CJK JP"]


def plot_curves(history: Sequence[dict[str, float]], quantity: str, best_epoch: int, path: Path) -> None:
    """Train and validation `quantity` ("accuracy" or "loss") by epoch; the best epoch is marked."""
    figure = Figure(figsize=(6, 3.6), layout="constrained", dpi=DPI)
    axes = figure.add_subplot()
    epochs = [record["epoch"] for record in history]
    for split, name in (("train", "training (augmented images)"), ("val", "validation")):
        axes.plot(epochs, [record[f"{split}_{quantity}"] for record in history], marker=".", label=name)
    axes.axvline(best_epoch, color="grey", linestyle=":", label=f"best epoch, {best_epoch}")
    axes.set(xlabel="epoch", ylabel=quantity, title=quantity.capitalize())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


def plot_confusion(confusion: Sequence[Sequence[int]], names: Sequence[str], title: str, path: Path) -> None:
    """Images counted by true class (rows) and answer (columns)."""
    side = 2.5 + 0.6 * len(names)
    figure = Figure(figsize=(side + 1.5, side), layout="constrained", dpi=DPI)
    axes = figure.add_subplot()
    display = ConfusionMatrixDisplay(np.array(confusion), display_labels=list(names))
    display.plot(ax=axes, cmap="Blues", xticks_rotation=30, colorbar=False)
    axes.set(title=title, xlabel="predicted class", ylabel="true class")
    figure.savefig(path)
