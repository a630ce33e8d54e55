import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from contract import UsageError
from dataset.errors import DataError
from evaluation.measure.config import MeasureConfig
from evaluation.measure.measure import measure
from tests.commands import call_module
from tests.pictures import TINTS, write_images


def evaluation(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Images that the model has not seen."""
    return write_images(tmp_path / "new", 6, first_seed=4000)


def test_the_runs_own_test_images_give_the_figures_of_training(run_folder: Path, bundle: Path, tmp_path: Path) -> None:
    measure(MeasureConfig(bundle=bundle, data=run_folder / "split.csv", out=tmp_path / "out"))
    trained = json.loads((run_folder / "results.json").read_text(encoding="utf-8"))["test"]
    scores = evaluation(tmp_path / "out")["scores"]
    assert scores.keys() == trained.keys()
    for name in ("accuracy", "confusion", "accuracy_interval", "macro_f1", "macro_f1_interval", "majority", "clusters"):
        assert scores[name] == trained[name]
    assert scores["loss"] == pytest.approx(trained["loss"], abs=1e-4)
    assert scores["brier"] == pytest.approx(trained["brier"], abs=1e-4)


def test_a_folder_of_new_images_is_measured_whole(
    bundle: Path, new: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(MeasureConfig(bundle=bundle, data=new, out=tmp_path / "out"))
    assert evaluation(tmp_path / "out")["scores"]["images"] == 18
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "confusion_matrix.png", "evaluation.json", "precision_recall.png", "predictions.csv", "reliability.png",
        "report.html", "risk_coverage.png", "roc.png",
    }  # fmt: skip
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["right"] == "yes" for row in rows) == round(18 * evaluation(tmp_path / "out")["scores"]["accuracy"])
    printed = capsys.readouterr().out
    assert "always answering" in printed
    assert "were trained on" not in printed
    assert printed.endswith(f"report  {tmp_path / 'out' / 'report.html'}\n")


def test_results_lie_beside_the_bundle_unless_told_otherwise(bundle: Path, new: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "run" / "bundle")
    measure(MeasureConfig(bundle=copy, data=new))
    assert (tmp_path / "run" / "evaluations" / "new" / "report.html").is_file()


def test_images_that_were_trained_on_are_told(
    run_folder: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(MeasureConfig(bundle=bundle, data=run_folder / "split.csv", part="all", out=tmp_path / "out"))
    printed = capsys.readouterr().out
    assert "note: 18 of these 30 images were trained on, so the figures are too high" in printed
    assert "note: 6 of these 30 images chose the epoch" in printed


def test_one_class_alone_can_be_measured(bundle: Path, tmp_path: Path) -> None:
    data = write_images(tmp_path / "d", 5, {"red": TINTS["red"]}, first_seed=6000)
    (data / "names.json").write_text('{"blue": "蓝色", "grün": "绿色", "red": "红色"}', encoding="utf-8")
    measure(MeasureConfig(bundle=bundle, data=data, out=tmp_path / "out"))
    assert evaluation(tmp_path / "out")["scores"]["images"] == 5


def test_a_class_that_must_not_be_missed_gets_a_threshold(
    bundle: Path, new: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(MeasureConfig(bundle=bundle, data=new, out=tmp_path / "out", recall="red:0.95"))
    point = evaluation(tmp_path / "out")["operating_point"]
    assert (point["label"], point["images"]) == ("red", 6)
    assert 0 < point["threshold"] <= 1
    printed = capsys.readouterr().out
    assert f"To find 95% of red, report it from a probability of {point['threshold']:g} on: here that finds" in printed
    assert "chosen on these same images" not in printed


def test_a_recall_out_of_reach_is_told_after_the_results_are_written(bundle: Path, tmp_path: Path) -> None:
    lone = shutil.copytree(bundle, tmp_path / "lone")  # without its run, so the threshold is chosen on these images
    data = write_images(tmp_path / "d", 3, {"blue": TINTS["blue"], "grün": TINTS["grün"]}, first_seed=6000)
    with pytest.raises(DataError, match="there is no image of class red"):
        measure(MeasureConfig(bundle=lone, data=data, out=tmp_path / "out", recall="red:0.9"))
    assert evaluation(tmp_path / "out")["scores"]["images"] == 6


@pytest.mark.parametrize("recall", ["red", "red:2", "pink:0.9"])
def test_a_wish_that_makes_no_sense_is_refused(bundle: Path, new: Path, recall: str) -> None:
    with pytest.raises(UsageError, match="RECALL="):
        measure(MeasureConfig(bundle=bundle, data=new, recall=recall))


def test_classes_that_the_model_does_not_know_are_named(bundle: Path, tmp_path: Path) -> None:
    data = write_images(tmp_path / "d", 2, {**TINTS, "pink": (250, 90, 180)}, first_seed=6000)
    with pytest.raises(DataError, match=r"that the model does not know: pink; it knows blue, grün, red"):
        measure(MeasureConfig(bundle=bundle, data=data))
    measure(MeasureConfig(bundle=bundle, data=data, classes="blue,red", out=tmp_path / "out"))
    assert evaluation(tmp_path / "out")["scores"]["images"] == 4


def test_a_split_that_is_not_there_is_named(bundle: Path, new: Path) -> None:
    with pytest.raises(DataError, match="has no images of the split val; it has no splits"):
        measure(MeasureConfig(bundle=bundle, data=new, part="val"))


def test_unreadable_files_stop_or_are_skipped(bundle: Path, new: Path, tmp_path: Path) -> None:
    (new / "red" / "notes.txt").write_text("remember")
    with pytest.raises(DataError, match="1 file can't be read as an image"):
        measure(MeasureConfig(bundle=bundle, data=new))
    measure(MeasureConfig(bundle=bundle, data=new, skip_unreadable=True, out=tmp_path / "out"))
    assert "1 unreadable files were skipped" in evaluation(tmp_path / "out")["warnings"]


def test_an_old_bundle_is_measured(old_bundle: Path, new: Path, tmp_path: Path) -> None:
    labels = [entry["label"] for entry in json.loads((old_bundle / "manifest.json").read_text())["classes"]]
    data = write_images(tmp_path / "d", 2, {label: (9, 9, 9) for label in labels}, first_seed=6000)
    result = call_module(
        "evaluation.measure", "--bundle", str(old_bundle), "--data", str(data), "--out", str(tmp_path / "out")
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("accuracy ")
