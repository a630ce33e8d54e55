import json
from dataclasses import replace
from pathlib import Path

import pytest

from dataset.split_file import read_known_splits
from tests.pictures import write_splits
from training.config import TrainConfig
from training.train import train
from training.weights.errors import WeightsError
from training.weights.runs import begin_from_run, find_run


def going_on(images: Path, run_folder: Path, weights: str) -> TrainConfig:
    return TrainConfig(
        data=images, run="second", runs=run_folder.parent, arch="resnet18", weights=weights, size=32, steps=2, seed=7
    )


@pytest.mark.parametrize("named", ["by name", "by folder"])
def test_a_run_stands_for_its_best_epoch_and_its_split(named: str, images: Path, run_folder: Path) -> None:
    weights = run_folder.name if named == "by name" else str(run_folder)
    begun = begin_from_run(going_on(images, run_folder, weights))
    assert begun.weights == str(run_folder / "checkpoints" / "best.pt")
    assert begun.split == run_folder / "split.csv"
    asked = replace(going_on(images, run_folder, weights), split=Path("own.csv"))
    assert begin_from_run(asked).split == Path("own.csv")


def test_images_with_a_split_of_their_own_keep_it(run_folder: Path, tmp_path: Path) -> None:
    images = write_splits(tmp_path / "images", "train", "val")
    assert begin_from_run(going_on(images, run_folder, run_folder.name)).split is None


def test_what_is_no_run_is_left_as_it_is(images: Path, run_folder: Path) -> None:
    assert find_run("none", run_folder.parent) is None
    assert find_run(str(run_folder / "checkpoints" / "best.pt"), run_folder.parent) is None
    assert begin_from_run(going_on(images, run_folder, "weights.pth")).weights == "weights.pth"


def test_a_run_of_another_architecture_is_refused(images: Path, run_folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"tiny is a resnet18, not a resnet50; set ARCH=resnet18"):
        begin_from_run(replace(going_on(images, run_folder, run_folder.name), arch="resnet50"))


def test_a_run_without_weights_is_refused(images: Path, run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.json").write_text((run_folder / "config.json").read_text(encoding="utf-8"))
    with pytest.raises(WeightsError, match=r"begun has no weights yet \(.*best.pt does not exist\); train it first"):
        begin_from_run(going_on(images, run_folder, str(tmp_path / "begun")))


def test_a_finished_run_goes_on_with_other_settings(images: Path, run_folder: Path, tmp_path: Path) -> None:
    """Under another name and from another seed, it is still tested on what the first run has not seen."""
    config = replace(going_on(images, run_folder, str(run_folder)), runs=tmp_path, lr=1e-5)
    train(config)
    results = json.loads((config.folder / "results.json").read_text(encoding="utf-8"))
    assert results["test"]["accuracy"] > 0.9
    assert not [warning for warning in results["warnings"] if "has seen" in warning]
    assert read_known_splits(config.folder / "split.csv") == read_known_splits(run_folder / "split.csv")
    train(replace(config, resume=True))
