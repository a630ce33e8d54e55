"""What a run keeps when it is stopped, killed, or moved in the middle of an epoch."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.pictures import write_images
from training.config import TrainConfig
from training.errors import CheckpointError
from training.learning import checkpoint
from training.learning.progress import Meter
from training.learning.stopping import stopping_between_steps
from training.train import train

Weights = dict[str, torch.Tensor]


class Killed(BaseException):
    """Nothing catches it."""


def last(config: TrainConfig) -> Weights:
    weights: Weights = checkpoint.load(config.folder / "checkpoints" / "last.pt")["model"]
    return weights


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """A run of two epochs of six steps that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    config = TrainConfig(
        data=write_images(folder / "images", 15),
        run="whole",
        runs=folder / "runs",
        arch="resnet18",
        weights="none",
        size=32,
        epochs=2,
        batch=4,
    )
    train(config)
    return config


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the process, as a kill does, while step number `step` of the run is counted."""
    taken, count = [], Meter.step

    def counted(self: Meter, images: int, loss: float) -> None:
        taken.append(1)
        if len(taken) == step:
            raise Killed
        count(self, images, loss)

    monkeypatch.setattr(Meter, "step", counted)


def train_until(step: int, config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train with a checkpoint after every step, and be killed in this one."""
    monkeypatch.setattr("training.learning.fit.SAVE_EVERY", 0.0)
    with monkeypatch.context() as patch:
        stop_at(step, patch)
        with pytest.raises(Killed):
            train(config)


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 6, 7, 9])
def test_a_run_goes_on_between_two_steps_to_the_same_bits(
    step: int, whole: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(whole, run=f"killed-{step}")
    train_until(step, config, monkeypatch)
    saved = checkpoint.load(config.folder / "checkpoints" / "last.pt")["progress"]
    assert saved["epoch"] * 6 + saved["steps"] == step - 1
    train(replace(config, resume=True))
    assert same(last(config), last(whole))
    one, other = ((each.folder / "metrics.jsonl").read_text().split('"lr"')[0] for each in (config, whole))
    assert one == other


@pytest.mark.slow
def test_in_float16_the_scale_of_the_loss_goes_on_too(whole: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.learning.engine.FIRST_SCALE", 2.0**40)  # too high: the first steps halve it
    config = replace(whole, run="half", precision="fp16")
    train(config)
    killed = replace(config, run="half-killed")
    train_until(9, killed, monkeypatch)
    assert checkpoint.load(killed.folder / "checkpoints" / "last.pt")["scaler"]["scale"] < 2.0**40
    train(replace(killed, resume=True))
    assert same(last(killed), last(config))


@pytest.mark.slow
def test_margins_of_rare_classes_go_on_where_they_were(
    whole: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = shutil.copytree(whole.data, tmp_path / "images")
    for path in sorted((images / "red").iterdir())[3:]:
        path.unlink()
    monkeypatch.setattr("training.recipe.loss.LEARNED", 0.0)
    config = replace(whole, data=images, run="unequal", runs=tmp_path, balance="sample", shares="70/30")
    train(config)
    killed = replace(config, run="unequal-killed")
    train_until(6, killed, monkeypatch)
    assert checkpoint.load(killed.folder / "checkpoints" / "last.pt")["loss"]["right"] > 0
    train(replace(killed, resume=True))
    assert same(last(killed), last(config))


def test_the_state_of_the_optimizer_goes_when_the_run_is_finished(whole: TrainConfig) -> None:
    assert set(checkpoint.load(whole.folder / "checkpoints" / "last.pt")) == {"model", "progress"}


def test_ctrl_c_waits_for_the_running_step() -> None:
    with stopping_between_steps() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            stop.obey()


def test_a_second_ctrl_c_does_not_wait() -> None:
    with stopping_between_steps() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked == signal.SIGINT


@pytest.mark.slow
def test_another_precision_is_refused_unless_asked_for(whole: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(whole, run="moved", precision="fp32")
    train_until(3, config, monkeypatch)
    path = config.folder / "checkpoints" / "last.pt"
    state = checkpoint.load(path)
    older = {
        name: value for name, value in state.items() if name not in ("loss", "scaler")
    }  # as versions before had it
    checkpoint.save({**older, "computed": {"device": "cuda", "precision": "bfloat16"}}, path)
    with pytest.raises(CheckpointError, match=r"begun elsewhere \(device was cuda, now cpu; precision was bfloat16"):
        train(replace(config, resume=True))
    train(replace(config, resume=True, resume_elsewhere=True))
    assert (config.folder / "results.json").exists()


@pytest.mark.slow
def test_a_picture_that_turns_bad_in_the_middle_is_one_line_and_the_run_goes_on(
    whole: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = shutil.copytree(whole.data, tmp_path / "images")
    config = replace(whole, data=images, run="bad", runs=tmp_path / "runs")
    kept = {path: path.read_bytes() for path in images.rglob("*.JPG")}
    count = Meter.step

    def spoil(self: Meter, images: int, loss: float) -> None:
        count(self, images, loss)
        for path in kept:
            path.write_bytes(b"no longer a picture")

    monkeypatch.setattr("training.learning.fit.SAVE_EVERY", 0.0)
    monkeypatch.setattr("training.learning.pictures.MEMORY_SHARE", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Meter, "step", spoil)
        with pytest.raises(Exception, match=r"\.JPG could be read when training began, and now can't"):
            train(config)
    for path, data in kept.items():
        path.write_bytes(data)
    train(replace(config, resume=True))
    assert same(last(config), last(whole))
