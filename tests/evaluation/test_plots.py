import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.curves import class_curves, reliability, risk_coverage
from evaluation.plots import (
    plot_confusion,
    plot_curves,
    plot_precision_recall,
    plot_reliability,
    plot_risk_coverage,
    plot_roc,
    shown,
)
from evaluation.thresholds import unsure_below
from tests.evaluation.simulated import answers_of
from tests.evaluation.test_calibration import honest_answers

NAMES = ["$10_$20", r"$\frac{$", "two\nlines", "a" * 300, "病斑 (玉米)", "🌽", "<b>", "\x07\udcb2", "", " ", "%s{}"]


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize(
    ("name", "expected"),
    [("$a$", "$a$"), ("a\r\n\tb", "a b"), ("b" * 30, "b" * 23 + "…"), ("\udcb2", r"\udcb2"), ("a\x07", "a\ufffd")],
)
def test_names_are_shown_in_one_short_line(name: str, expected: str) -> None:
    assert shown(name) == expected


def test_any_name_is_drawn(tmp_path: Path) -> None:
    count = len(NAMES)
    plot_confusion(np.eye(count, dtype=int).tolist(), NAMES, "Of $\\frac{$ images\n\udcb2", tmp_path / "a.png")
    curves = class_curves(answers_of(np.arange(count), np.arange(count), classes=count), NAMES)
    plot_roc(curves, tmp_path / "b.png")
    plot_precision_recall(curves, tmp_path / "c.png")
    assert all(max(size(path)) <= 2000 for path in tmp_path.iterdir())


@pytest.mark.parametrize("classes", [2, 15, 16, 30, 31, 60, 61, 200, 1000])
def test_a_confusion_matrix_is_bounded(classes: int, tmp_path: Path) -> None:
    names = ["northern leaf blight " + str(index) for index in range(classes)]
    started = time.process_time()
    plot_confusion((2 * np.eye(classes, dtype=int)).tolist(), names, "Confusion matrix", tmp_path / "a.png")
    assert time.process_time() - started < 5  # seconds; about 1 where nothing else runs
    assert max(size(tmp_path / "a.png")) <= 2000


def test_one_mistake_among_a_thousand_classes_is_in_the_picture(tmp_path: Path) -> None:
    right = np.eye(1000, dtype=int)
    wrong = right.copy()
    wrong[100:110, 800:810] = 5
    for name, counts in (("right", right), ("wrong", wrong)):
        plot_confusion(counts.tolist(), [str(index) for index in range(1000)], "", tmp_path / f"{name}.png")
    assert (tmp_path / "right.png").read_bytes() != (tmp_path / "wrong.png").read_bytes()


def test_curves_by_epoch_are_drawn(tmp_path: Path) -> None:
    history = [
        {"epoch": 1.0, "train_loss": 2.0, "val_loss": 2.1},
        {"epoch": 2.0, "train_loss": 1.0, "val_loss": 1.5},
    ]
    plot_curves(history, "loss", 2, tmp_path / "a.png")
    assert size(tmp_path / "a.png") == (720, 432)


def test_the_plots_of_an_evaluation_are_drawn(tmp_path: Path) -> None:
    answers = honest_answers(500)
    curves, points = class_curves(answers, ["a", "b", "c"]), risk_coverage(answers)
    plot_roc(curves, tmp_path / "roc.png")
    plot_precision_recall(curves, tmp_path / "precision_recall.png")
    plot_risk_coverage(points, unsure_below(points), tmp_path / "risk.png")
    plot_risk_coverage(points[:1], None, tmp_path / "one_point.png")
    plot_reliability(reliability(answers), tmp_path / "reliability.png")
    assert len(list(tmp_path.iterdir())) == 5
    assert all(300 < side < 1000 for path in tmp_path.iterdir() for side in size(path))


def test_curves_of_no_class_are_an_empty_plot(tmp_path: Path) -> None:
    plot_precision_recall([], tmp_path / "a.png")
    assert (tmp_path / "a.png").exists()


def test_curves_of_many_classes_are_ten(tmp_path: Path) -> None:
    answers = answers_of(np.arange(200) % 100, np.arange(200) % 100, classes=100)
    curves = class_curves(answers, [f"class {index}" for index in range(100)]) * 10
    started = time.process_time()
    plot_roc(curves, tmp_path / "a.png")
    assert time.process_time() - started < 5
