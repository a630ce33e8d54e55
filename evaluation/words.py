"""Figures of a split in, lines for the screen out; training's last screen and an evaluation share them."""

from collections.abc import Mapping, Sequence
from typing import Any

from contract.text import counted

MOST_NAMED = 5


def describe_accuracy(scores: Mapping[str, Any]) -> list[str]:
    """A split's figures (`Scores.as_dict`) in two lines: accuracy beside chance, and the means over classes.

    What stands in brackets behind a figure is its 95 % confidence interval.
    Figures of an older program, which lack some of these, give what they have.
    """
    low, high = scores["accuracy_interval"]
    confidence = f"95 % confidence interval {low:.3f} to {high:.3f}"
    line = f"accuracy {scores['accuracy']:.3f} on {scores['images']} images ({confidence})"
    if "majority" in scores:
        line += f"; always answering {scores['majority_label']}: {scores['majority']:.3f}"
        if not scores["better_than_chance"]:
            line += "; not shown to be better than that"
    return [line, ", ".join([*_means(scores), *_weakest(scores)])]


def _means(scores: Mapping[str, Any]) -> list[str]:
    names = {"macro_f1": "macro-F1", "balanced_accuracy": "balanced accuracy"}
    return [f"{shown} {_figure(scores, name)}" for name, shown in names.items() if name in scores]


def _figure(scores: Mapping[str, Any], name: str) -> str:
    interval = scores.get(f"{name}_interval")
    shown = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    return f"{scores[name]:.3f}{shown}"


def _weakest(scores: Mapping[str, Any]) -> list[str]:
    tested = [row for row in scores["per_class"] if row["images"]]
    weakest = min(tested, key=lambda row: float(row["recall"]), default=None)
    if not weakest or weakest["recall"] == 1:
        return []
    return [f"weakest class {weakest['label']} with recall {weakest['recall']:.3f}"]


def listed(names: Sequence[str]) -> str:
    """Up to 5 names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def p_value(value: float) -> str:
    """A p-value with three digits, or that it has more noughts."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def describe_suspects(images: int, suspicious: int) -> str:
    """How many labels a person should look at."""
    verb = "is" if suspicious == 1 else "are"
    return f"{counted(suspicious, 'label')} of {images} {verb} suspicious: another class is more likely."
