import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contract import ClassLabel
from evaluation.curves import risk_coverage
from evaluation.metrics import score
from evaluation.plots import plot_risk_coverage
from evaluation.report import SplitPage, draw_confusion, write_report, write_split_report
from evaluation.thresholds import RecallTarget, measure_threshold, unsure_below
from tests.evaluation.simulated import answers_of
from tests.evaluation.test_calibration import honest_answers

CLASSES = [ClassLabel(label=label, display_name=label.upper()) for label in ("<b>a</b>", "b", "c")]
LABELS = [entry.label for entry in CLASSES]


@pytest.fixture
def page() -> SplitPage:
    scores = score(honest_answers(600), LABELS).as_dict()
    return SplitPage(title="corn on photos", split="test", scores=scores, temperature=1.2, classes=CLASSES)


def written(page: SplitPage, folder: Path) -> str:
    write_split_report(page, folder / "page.html")
    return (folder / "page.html").read_text(encoding="utf-8")


def test_a_page_of_one_split_needs_no_history(page: SplitPage, tmp_path: Path) -> None:
    text = written(page, tmp_path)
    assert "of 600 test images are classified correctly" in text
    assert "the model is better (p &lt; 0.001)" in text
    for name in ("accuracy", "majority", "macro_f1", "balanced_accuracy", "loss", "brier"):
        assert f"<td>{page.scores[name]:.3f} ({page.scores[f'{name}_interval'][0]:.3f} to " in text
    assert "Perfectly calibrated probabilities would show" in text
    assert "No threshold of confidence" in text


def test_verdicts_come_first(page: SplitPage, tmp_path: Path) -> None:
    text = written(replace(page, verdicts=["Too few images."], warnings=["A warning."]), tmp_path)
    assert text.index("Too few images.") < text.index('class="big"') < text.index("A warning.")


def test_what_is_not_better_than_chance_is_said(page: SplitPage, tmp_path: Path) -> None:
    weak = {**page.scores, "better_than_chance": False, "chance_p_value": 0.2}
    assert "the model is not shown to be better (p = 0.200)" in written(replace(page, scores=weak), tmp_path)


def test_labels_are_escaped(page: SplitPage, tmp_path: Path) -> None:
    text = written(page, tmp_path)
    assert "<b>" not in text
    assert "&lt;b&gt;a&lt;/b&gt;" in text


def test_no_calibration_error_of_few_images(page: SplitPage, tmp_path: Path) -> None:
    scores = score(honest_answers(100), LABELS).as_dict()
    assert "A calibration error is given from 500 images on" in written(replace(page, scores=scores), tmp_path)


def test_the_commonest_mistakes_are_a_table(page: SplitPage, tmp_path: Path) -> None:
    assert "share of the true class" in written(page, tmp_path)
    right = score(answers_of(np.arange(9) % 3, np.arange(9) % 3, classes=3), LABELS).as_dict()
    assert "There are none." in written(replace(page, scores=right), tmp_path)


def test_thresholds_and_pictures_are_shown(page: SplitPage, tmp_path: Path) -> None:
    answers = honest_answers(2000)
    points = risk_coverage(answers)
    plot_risk_coverage(points, unsure_below(points), tmp_path / "risk.png")
    target = RecallTarget(index=1, label="b", recall=0.9)
    text = written(
        replace(
            page,
            operating_point=measure_threshold(answers, target, 0.2),
            unsure=unsure_below(points),
            pictures={"Risk and coverage": tmp_path / "risk.png"},
        ),
        tmp_path,
    )
    assert "Reporting b from a probability of 0.2" in text
    assert "Proposal: treat answers with a confidence below 0." in text
    assert text.count("data:image/png;base64,") == 1


def test_objects_are_counted_where_they_are_fewer(page: SplitPage, tmp_path: Path) -> None:
    assert "objects" not in written(page, tmp_path)
    assert "of 200 objects" in written(replace(page, scores={**page.scores, "clusters": 200}), tmp_path)


@pytest.mark.slow
def test_a_training_report_of_a_thousand_classes_is_bounded(tmp_path: Path) -> None:
    classes = [ClassLabel(label=f"class ${index}$", display_name=f"名 {index}") for index in range(1000)]
    labels, targets = [entry.label for entry in classes], np.arange(3000) % 1000
    answered = np.where(np.arange(3000) % 5 == 0, (targets + 1) % 1000, targets)
    scores = score(answers_of(answered, targets, classes=1000), labels).as_dict()
    counts = dict.fromkeys(labels, 3)
    results = {
        "epoch": 1, "temperature": 1.0, "validation": scores, "test": None, "training": scores, "verdicts": [],
        "images": {"train": counts, "val": counts}, "warnings": [], "device": "cpu", "precision": "float32",
        "images_per_s": 1.0, "seconds": 1.0,
    }  # fmt: skip
    history = [{"epoch": 1.0, "train_loss": 1.0, "val_loss": 1.0, "train_accuracy": 0.5, "val_accuracy": 0.5}]
    config = {"run": "many", "arch": "resnet18", "size": 32, "weights": "none", "epochs": 1}
    started = time.process_time()
    write_report(tmp_path, config, results, history, classes)
    assert time.process_time() - started < 6  # seconds; about 2 where nothing else runs
    assert (tmp_path / "report.html").stat().st_size < 1_500_000
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "名 999" in text
    assert 'class="many"' in text
    assert "training (not augmented)" in text


def test_a_confusion_matrix_is_drawn_beside_a_page(page: SplitPage, tmp_path: Path) -> None:
    draw_confusion(page.scores, CLASSES, "test", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
