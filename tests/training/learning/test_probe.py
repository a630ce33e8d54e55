from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset.data_set import load_data
from dataset.split_file import Example
from tests.pictures import write_images
from training.config import TrainConfig
from training.learning.probe import UNSEEN, fit_probe, start_head
from training.learning.trainer import Trainer, build_trainer


def examples(targets: Sequence[int], of_an_object: int = 1) -> list[Example]:
    return [
        Example(path=Path(f"{number}.png"), target=target, sha256=f"{number:03}", cluster=number // of_an_object)
        for number, target in enumerate(targets)
    ]


def answered(features: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    result: np.ndarray = (features @ weight.T + bias).argmax(axis=1)
    return result


@pytest.mark.parametrize("classes", [2, 3])
def test_the_layer_takes_features_as_they_are(classes: int) -> None:
    rng = np.random.default_rng(0)
    targets = np.arange(60) % classes
    features = rng.normal(size=(60, 8)) * 5 + 100
    features[np.arange(60), targets] += 40
    weight, bias = fit_probe(features, examples(targets.tolist()), classes, balanced=False)
    assert (weight.shape, bias.shape) == ((classes, 8), (classes,))
    assert weight.dtype == bias.dtype == np.float32
    assert (answered(features, weight, bias) == targets).all()


def test_noise_is_regularised_more_strongly_than_what_can_be_learned() -> None:
    rng = np.random.default_rng(1)
    targets = (np.arange(80) % 2).tolist()
    noise = rng.normal(size=(80, 40))
    clear = noise + np.array(targets)[:, None]
    sizes = [float(np.abs(fit_probe(table, examples(targets), 2, balanced=False)[0]).max()) for table in (noise, clear)]
    assert sizes[0] < sizes[1]


def test_a_class_without_images_is_not_answered() -> None:
    features = np.random.default_rng(2).normal(size=(30, 4))
    weight, bias = fit_probe(features, examples([0, 2] * 15), 3, balanced=True)
    assert bias[1] == UNSEEN
    assert not weight[1].any()


def test_one_object_of_a_class_is_enough() -> None:
    features = np.random.default_rng(3).normal(size=(12, 4))
    features[6:] += 3
    weight, bias = fit_probe(features, examples([0] * 6 + [1] * 6, of_an_object=6), 2, balanced=False)
    assert (answered(features, weight, bias) == [0] * 6 + [1] * 6).all()


@pytest.fixture
def trainer(tmp_path: Path, run_folder: Path) -> Trainer:
    """Starts from the weights of a run with three classes; here are two of them."""
    images = write_images(tmp_path / "images", 10)
    config = TrainConfig(
        data=images,
        run="r",
        runs=tmp_path,
        arch="resnet18",
        weights=str(run_folder / "checkpoints" / "best.pt"),
        size=32,
        classes="blue,red",
    )
    return build_trainer(config, load_data(config), fresh=True)


def test_the_head_starts_from_a_probe(trainer: Trainer) -> None:
    assert trainer.fresh_head
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    assert start_head(trainer) >= 0.75
    moved = {name for name, tensor in trainer.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"backbone.fc.weight", "backbone.fc.bias"}


def test_a_head_for_the_same_classes_is_kept(trainer: Trainer) -> None:
    config = replace(trainer.config, classes="")
    assert not build_trainer(config, load_data(config), fresh=True).fresh_head
    assert not build_trainer(replace(config, weights="none"), load_data(config), fresh=True).fresh_head
