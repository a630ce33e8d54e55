"""The doctor on good sets, and on sets and settings with one fault each."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset.data_set import load_data
from tests.pictures import write_images
from training.config import TrainConfig
from training.doctor.doctor import DoctorError, doctor, examine
from training.doctor.finding import Finding
from training.doctor.pictures import check_pictures
from training.doctor.rate import RangeTest, check_rate
from training.doctor.steps import check_steps
from training.recipe.plan import make_plan


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    folder = write_images(tmp_path_factory.mktemp("data") / "images", 20)
    return TrainConfig(data=folder, run="r", arch="resnet18", weights="none", size=32, shares="80/20")


def outcomes(config: TrainConfig) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(config, load_data(config))}


def failed(found: dict[str, Finding]) -> set[str]:
    return {name for name, finding in found.items() if finding.outcome == "failed"}


@pytest.mark.slow
def test_what_can_learn_passes(config: TrainConfig, capsys: pytest.CaptureFixture[str]) -> None:
    doctor(config)
    assert "Nothing that was checked keeps a model from learning." in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "cause"), [(0.5, "is too high"), (5e-7, "is too low to learn in time")])
def test_a_wrong_learning_rate_is_named(config: TrainConfig, rate: float, cause: str) -> None:
    found = outcomes(replace(config, lr=rate))
    assert "learning rate" in failed(found)
    assert cause in found["learning rate"].sentence


def test_too_few_steps_are_named(config: TrainConfig) -> None:
    assert check_steps(config, make_plan(config, [100, 100])).outcome == "passed"
    short = replace(config, epochs=3)
    found = check_steps(short, make_plan(short, [100, 100]))
    assert found.outcome == "failed"
    assert "75 steps (3 epochs of 25) are too few from random weights, which need 200 or more" in found.sentence
    some = replace(config, epochs=12)
    assert check_steps(some, make_plan(some, [100, 100])).outcome == "weak"


@pytest.mark.parametrize(("rate", "outcome"), [(5e-4, "passed"), (0.5, "failed"), (5e-7, "failed")])
def test_the_rate_is_judged_by_where_the_loss_was_lowest(rate: float, outcome: str) -> None:
    test = RangeTest(rates=np.array([1e-5, 1e-3, 1e-2, 1e-1]), losses=np.array([1.0, 0.5, 0.3, 2.0]))
    assert check_rate(rate, test, "adamw").outcome == outcome


def test_a_rate_that_no_network_stands_is_named_however_easy_the_images_are() -> None:
    easy = RangeTest(rates=np.array([1e-5, 1e-3, 1e-1, 1.0]), losses=np.array([1.0, 0.5, 0.3, 0.1]))
    assert check_rate(0.5, easy, "adamw").outcome == "failed"
    assert check_rate(1e-3, easy, "adamw").outcome == check_rate(0.5, easy, "sgd").outcome == "passed"


def test_images_that_all_look_alike_are_named(config: TrainConfig) -> None:
    data = load_data(config)
    assert check_pictures(data).outcome == "passed"
    first = next(iter(data.pictures.values()))
    alike = replace(data, pictures=dict.fromkeys(data.pictures, first))
    assert "60 of 60 images look exactly the same" in check_pictures(alike).sentence


@pytest.mark.slow
def test_constant_images_are_named(config: TrainConfig, tmp_path: Path) -> None:
    shades = np.random.default_rng(0).choice(200, 40, replace=False)
    for number, shade in enumerate(shades):
        path = tmp_path / "flat" / ("dark", "light")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 40), int(shade)).save(path)
    with pytest.raises(DoctorError, match="training would not succeed as it is: see images"):
        doctor(replace(config, data=tmp_path / "flat", near_duplicates=1))
