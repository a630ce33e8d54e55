from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset.data_set import load_data
from tests.pictures import write_images
from training.config import TrainConfig
from training.doctor.doctor import examine
from training.doctor.finding import Finding
from training.doctor.labels import check_labels
from training.learning.trainer import build_trainer
from training.train import train


def found_in(data: Path) -> dict[str, Finding]:
    config = TrainConfig(data=data, run="r", arch="resnet18", weights="none", size=64)
    return {finding.check: finding for finding in examine(config, load_data(config))}


@pytest.mark.slow
def test_photographs_of_leaves_pass(shared_data: Path) -> None:
    assert {finding.outcome for finding in found_in(shared_data / "corn_leaf").values()} == {"passed"}


@pytest.mark.slow
def test_what_is_hard_to_learn_is_weak_and_not_shuffled(shared_data: Path) -> None:
    found = found_in(shared_data / "magnetic_tile")
    assert found["labels"].outcome == "weak"
    assert "failed" not in {finding.outcome for finding in found.values()}


@pytest.mark.slow
def test_shuffled_photographs_are_named(shared_data: Path, tmp_path: Path) -> None:
    photos = sorted((shared_data / "corn_leaf" / "train").rglob("*.[jJ][pP]*[gG]"))
    labels = np.random.default_rng(0).permutation([photo.parent.name for photo in photos])
    rows = "".join(f"{photo},{label}\n" for photo, label in zip(photos, labels, strict=True))
    (tmp_path / "shuffled.csv").write_text("path,label\n" + rows)
    found = found_in(tmp_path / "shuffled.csv")
    assert found["labels"].outcome == "failed"
    assert found["learning 16 images by heart"].outcome == "passed"


@pytest.mark.slow
def test_weights_that_learned_shuffled_labels_by_heart_are_not_asked(tmp_path: Path) -> None:
    photos = sorted(write_images(tmp_path / "images", 20).rglob("*.JPG"))
    labels = np.random.default_rng(0).permutation([photo.parent.name for photo in photos])
    rows = "".join(f"{photo},{label},train\n" for photo, label in zip(photos[:50], labels, strict=False))
    rows += "".join(f"{photo},{label},val\n" for photo, label in zip(photos[50:], labels[50:], strict=True))
    (tmp_path / "shuffled.csv").write_text("path,label,split\n" + rows)
    config = TrainConfig(
        data=tmp_path / "shuffled.csv",
        run="learned",
        runs=tmp_path,
        arch="resnet18",
        weights="none",
        size=32,
        steps=300,
        augment="none",
        patience=0,
    )
    train(config)
    own = replace(config, weights=str(config.folder / "checkpoints" / "last.pt"))
    finding = check_labels(build_trainer(own, load_data(own), fresh=True))
    assert finding.outcome == "failed"
    assert "(WEIGHTS has learned 60 of these labels)" in finding.sentence
