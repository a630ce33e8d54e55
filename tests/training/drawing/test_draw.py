import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from contract import preprocess
from dataset.split_file import read_split_csv
from training.drawing.draw import draw
from training.learning.checkpoint import load_best
from training.model.activation import class_activation_maps


@pytest.fixture
def wrong(run_folder: Path) -> Iterator[Path]:
    """A run beside the true one, so that its table finds the images, whose answers to two test images are wrong."""
    folder = run_folder.with_name("wrong")
    shutil.copytree(run_folder, folder, ignore=shutil.ignore_patterns("bundle", "report.html", "mistakes"))
    with np.load(folder / "test.npz") as recorded:
        kept = dict(recorded)
    kept["logits"] = np.eye(3, dtype=np.float32)[kept["targets"]] * 5
    kept["logits"][[0, 3]] = np.roll(kept["logits"][[0, 3]], 1, axis=1)
    np.savez(folder / "test.npz", **kept)
    yield folder
    shutil.rmtree(folder)


def test_the_report_shows_the_mistakes_with_their_pictures(wrong: Path) -> None:
    draw(wrong)
    mistakes = json.loads((wrong / "mistakes" / "mistakes.json").read_text(encoding="utf-8"))
    assert [mistake["picture"] for mistake in mistakes] == ["01.jpg", "02.jpg"]
    report = (wrong / "report.html").read_text(encoding="utf-8")
    assert report.count("data:image/jpeg;base64,") == 2
    assert "The 2 images of the test split" in report
    assert all(mistake["name"] in report for mistake in mistakes)


def test_what_cant_be_drawn_is_a_warning_and_the_report_still_comes(
    wrong: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (wrong / "checkpoints" / "best.pt").unlink()
    draw(wrong)
    errors = capsys.readouterr().err
    assert errors.startswith("warning: mistakes can't be drawn (CheckpointError: ")
    assert errors.rstrip().endswith("the figures are in results.json")
    assert "Most certain mistakes" not in (wrong / "report.html").read_text(encoding="utf-8")


def test_the_mean_of_an_activation_map_and_the_bias_are_the_logit(run_folder: Path) -> None:
    trained = load_best(run_folder)
    labels = [entry.label for entry in trained.classes]
    examples = read_split_csv(run_folder / "split.csv", labels, "test")
    pixels = np.stack([preprocess(example.path.read_bytes(), trained.image) for example in examples])
    maps = class_activation_maps(trained.model, pixels)
    with np.load(run_folder / "test.npz") as recorded, torch.inference_mode():
        bias = trained.model.backbone.fc.bias.numpy()
        assert maps.mean(axis=(2, 3)) + bias == pytest.approx(recorded["logits"], abs=1e-3)
