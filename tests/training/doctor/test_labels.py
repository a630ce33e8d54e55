from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dataset.data_set import load_data
from dataset.split_file import Example
from training.config import TrainConfig
from training.doctor.doctor import examine
from training.doctor.finding import Finding
from training.doctor.labels import relate


def examples(targets: Sequence[int], of_an_object: int = 1) -> list[Example]:
    return [
        Example(path=Path(f"{number}.png"), target=target, sha256=f"{number:03}", cluster=number // of_an_object)
        for number, target in enumerate(targets)
    ]


def test_labels_that_follow_the_features_are_related() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 90)
    features = rng.normal(size=(90, 40)) + 2 * np.eye(3, 40)[targets]
    found = relate(features, examples(targets.tolist()))
    assert found.p_value < 0.01
    assert found.mean_recall > 0.6 > 0.4 > found.chance


def test_shuffled_labels_are_not_however_many_features_there_are() -> None:
    rng = np.random.default_rng(1)
    found = relate(rng.normal(size=(80, 500)), examples(rng.integers(0, 2, 80).tolist()))
    assert found.p_value > 0.05


def test_objects_with_many_images_are_no_evidence_of_their_own() -> None:
    """Every object looks like itself, and its label is a coin's: taken for independent, the images would tell it."""
    rng = np.random.default_rng(2)
    objects = rng.normal(size=(20, 30))
    features = np.repeat(objects, 6, axis=0) + 0.01 * rng.normal(size=(120, 30))
    targets = np.repeat(rng.integers(0, 2, 20), 6).tolist()
    assert relate(features, examples(targets)).p_value < 0.01
    assert relate(features, examples(targets, of_an_object=6)).p_value > 0.05


def test_rare_classes_count_like_the_others() -> None:
    rng = np.random.default_rng(3)
    targets = [0] * 90 + [1] * 10
    noise = relate(rng.normal(size=(100, 20)), examples(targets))
    assert noise.chance == pytest.approx(0.5, abs=0.06)


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
