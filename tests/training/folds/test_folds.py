"""A cross-validated run: its folds, its last model, its bundle; and what an interrupted one keeps."""

import csv
import json
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from contract import Manifest
from dataset.data_set import load_data
from dataset.errors import DataError
from dataset.split_file import read_split_csv
from evaluation.compare.compare import compare
from evaluation.compare.config import CompareRunsConfig
from export.config import ExportConfig
from export.export import export
from tests.pictures import write_images
from training.config import TrainConfig
from training.learning.checkpoint import load_best
from training.learning.engine import train_one_epoch
from training.train import train

LABELS = ["blue", "grün", "red"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """A finished run of three folds, with a test split that they don't touch."""
    folder = tmp_path_factory.mktemp("folds")
    config = TrainConfig(
        data=write_images(folder / "images", 8),
        run="whole",
        runs=folder / "runs",
        arch="resnet18",
        weights="none",
        size=32,
        epochs=3,
        batch=8,
        folds=3,
    )
    train(config)
    return config


def results(config: TrainConfig) -> dict[str, object]:
    content: dict[str, object] = json.loads((config.folder / "results.json").read_text())
    return content


def test_every_image_but_the_tests_is_answered_once(config: TrainConfig) -> None:
    folds = [np.load(config.folder / "folds" / str(number) / "answers.npz") for number in (1, 2, 3)]
    learned = read_split_csv(config.folder / "split.csv", LABELS, "train")
    assert sum(fold["logits"].shape[1] for fold in folds) == len(learned)
    assert not read_split_csv(config.folder / "split.csv", LABELS, "val")
    assert len(read_split_csv(config.folder / "split.csv", LABELS, "test")) > 0
    pooled = np.load(config.folder / "validation.npz")
    assert pooled["targets"].tolist() == [example.target for example in learned]


def test_each_fold_is_answered_at_the_epoch_of_the_others(config: TrainConfig) -> None:
    folds = [np.load(config.folder / "folds" / str(number) / "answers.npz") for number in (1, 2, 3)]
    best = [int(fold["best"]) for fold in folds]
    pooled = np.load(config.folder / "validation.npz")["logits"]
    for number, fold in enumerate(folds):
        others = round(statistics.median(best[:number] + best[number + 1 :]))
        expected = fold["logits"][fold["epochs"].tolist().index(others)]
        assert all(any(np.array_equal(row, each) for each in pooled) for row in expected)
    assert results(config)["epoch"] == round(statistics.median(best))


def test_checkpoints_of_folds_that_are_done_take_no_room(config: TrainConfig) -> None:
    assert not list((config.folder / "folds").rglob("*.pt"))


def test_the_bundle_says_where_its_figures_come_from(config: TrainConfig) -> None:
    manifest = Manifest.read(export(ExportConfig(run=config.run, runs=config.runs)))
    assert manifest.sources == {
        "accuracy": "test images",
        **dict.fromkeys(
            ("temperature", "adjustment", "unsure_below"), "3 folds, each answered by a model that has not seen it"
        ),
        "parity": "test images",
    }


def test_suspicious_labels_are_those_that_the_folds_contradict(config: TrainConfig) -> None:
    """The table holds the test images too, and is a data set with the same images in the same test split."""
    table = config.folder / "labels.csv"
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    learned = read_split_csv(config.folder / "split.csv", LABELS, "train")
    answered = [row for row in rows if row["proposed"]]
    assert len(answered) == len(learned) < len(rows)
    assert all(row["split"] == "test" for row in rows[len(answered) :])
    assert "Suspicious labels" in (config.folder / "labels.html").read_text(encoding="utf-8")
    again = load_data(replace(config, data=table))
    assert len(again.splits["test"]) == len(rows) - len(answered)


def test_more_folds_than_objects_are_refused_before_anything_is_written(config: TrainConfig) -> None:
    own = replace(config, run="many", folds=20)
    with pytest.raises(DataError, match=r"expected at least 20, one for each fold: add images, or lower FOLDS"):
        train(own)
    assert not own.folder.exists()


@pytest.mark.slow
def test_without_a_test_split_all_images_prove_parity(config: TrainConfig) -> None:
    own = replace(config, run="all", shares="80/20", folds=2, epochs=1)
    train(own)
    assert results(own)["warnings"] == []  # no validation images chose anything
    manifest = Manifest.read(export(ExportConfig(run=own.run, runs=own.runs)))
    assert manifest.sources["accuracy"] == "2 folds, each answered by a model that has not seen it"
    assert manifest.sources["parity"] == "all images, seen in training"


@pytest.mark.slow
def test_a_stopped_fold_goes_on_to_the_same_weights(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    own = replace(config, run="stopped")
    passes = []

    def pressed(*arguments):  # type: ignore[no-untyped-def]
        passes.append(1)
        if len(passes) == 5:  # the second epoch of the second fold
            raise KeyboardInterrupt
        return train_one_epoch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("training.learning.fit.train_one_epoch", pressed)
        with pytest.raises(KeyboardInterrupt, match="continue with: make train"):
            train(own)
    kept = (own.folder / "folds" / "1" / "answers.npz").stat().st_mtime_ns
    train(replace(own, resume=True))
    assert (own.folder / "folds" / "1" / "answers.npz").stat().st_mtime_ns == kept
    one, other = (load_best(each.folder).model.state_dict() for each in (own, config))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert np.array_equal(*(np.load(each.folder / "validation.npz")["logits"] for each in (own, config)))


@pytest.mark.slow
def test_cross_validated_runs_are_compared_on_every_image(config: TrainConfig, tmp_path: Path) -> None:
    """No model answered images that it had seen, so neither run is called favoured; and nothing chose by them."""
    train(replace(config, run="other", epochs=1))
    compare(CompareRunsConfig(runs=("whole", "other"), folder=config.runs, part="val", out=tmp_path))
    written = json.loads((tmp_path / "compare.json").read_text(encoding="utf-8"))
    learned = read_split_csv(config.folder / "split.csv", LABELS, "train")
    assert (written["part"], written["images"]) == ("cross-validated", len(learned))
    assert [(seen["trained"], seen["chose"], seen["objects"]) for seen in written["seen"]] == [(0, 0, 0)] * 2
    assert written["notes"] == [
        "whole and other answered each of these images by a model of its fold, which had not seen it; "
        "the intervals are wider, as the models of the folds share images."
    ]
