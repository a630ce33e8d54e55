"""What a run is, and what becomes of the one that stood in its folder."""

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from contract import UserError
from tests.commands import run_module
from tests.pictures import write_images, write_splits
from tests.training.test_train import arguments, held_by_another, interrupt_after, same_weights
from training.config import TrainConfig
from training.errors import CheckpointError, OutOfMemoryError
from training.learning.engine import DivergedError
from training.lock import hold_run
from training.memory import explained
from training.train import train


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    data = write_images(tmp_path / "data", 5)
    return TrainConfig(
        data=data, run="r", runs=tmp_path / "runs", arch="resnet18", weights="none", size=32, epochs=1, batch=8
    )


def results(config: TrainConfig) -> dict[str, object]:
    content: dict[str, object] = json.loads((config.folder / "results.json").read_text(encoding="utf-8"))
    return content


def test_a_run_goes_on_where_its_images_and_weights_were_moved(
    config: TrainConfig, tmp_path: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = shutil.copy(run_folder / "checkpoints/best.pt", tmp_path / "a.pth")
    started = replace(config, weights=str(weights), epochs=2)
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        with pytest.raises(KeyboardInterrupt):
            train(started)
    moved = replace(started, data=config.data.rename(tmp_path / "elsewhere"), weights=str(tmp_path / "b.pth"))
    Path(weights).rename(moved.weights)
    train(replace(moved, resume=True))
    assert "elsewhere" in (config.folder / "split.csv").read_text()
    assert "test" in results(config)


def test_other_weights_are_another_run(
    config: TrainConfig, tmp_path: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "a.pth"
    shutil.copy(run_folder / "checkpoints/best.pt", weights)
    started = replace(config, weights=str(weights), epochs=2)
    interrupt_after(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(started)
    shutil.copy(run_folder / "checkpoints/last.pt", weights)
    with pytest.raises(CheckpointError, match="weights_sha256 was"):
        train(replace(started, resume=True))


@pytest.mark.slow
def test_names_of_files_change_nothing(config: TrainConfig) -> None:
    train(config)
    for number, path in enumerate(sorted(config.data.rglob("*.JPG"), reverse=True)):
        path.rename(path.with_name(f"{number}.jpg"))
    renamed = replace(config, run="renamed")
    train(renamed)
    assert same_weights(config.folder, renamed.folder)


def test_what_stood_there_comes_back_if_the_new_run_never_saves_an_epoch(config: TrainConfig) -> None:
    train(config)
    before = results(config)
    with pytest.raises(DivergedError):
        train(replace(config, lr=1e30, precision="fp32", overwrite=True))
    assert results(config) == before


def test_what_stood_there_comes_back_after_a_kill(config: TrainConfig) -> None:
    train(config)
    before = results(config)
    aside = config.folder.with_name(".r.before")
    config.folder.rename(aside)  # as a run leaves it that is killed in its first epoch
    config.folder.mkdir()
    (config.folder / "config.json").write_text("{}")
    train(config)
    assert results(config) == before
    assert not aside.exists()


def test_a_second_command_ends_at_once(config: TrainConfig) -> None:
    for program in (arguments(config), ["export", "--run", "r", "--runs", str(config.runs)]):
        config.folder.mkdir(parents=True, exist_ok=True)
        (config.folder / "config.json").write_text("{}")
        with held_by_another(config.folder):
            started = time.monotonic()
            second = run_module(*program)
        assert time.monotonic() - started < 5
        assert second.returncode == 1
        assert second.stderr.startswith(f"error: {config.folder} is in use by another training or export; wait")
        assert len(second.stderr.splitlines()) == 1


def test_out_of_memory_says_what_to_lower(config: TrainConfig) -> None:
    with pytest.raises(OutOfMemoryError, match="BATCH=8 and SIZE=32 does not fit; try BATCH=4"), explained(config, 8):
        torch.empty(1 << 55)
    with pytest.raises(OutOfMemoryError, match="try SIZE=16"), explained(config, 2):
        torch.empty(1 << 55)
    with pytest.raises(RuntimeError, match=r"same device|size"), explained(config, 8):
        torch.ones(2) @ torch.ones(3)


@pytest.mark.slow
def test_a_report_that_cannot_be_drawn_loses_nothing(config: TrainConfig, capsys: pytest.CaptureFixture[str]) -> None:
    train(config)
    drawn = (config.folder / "report.html").read_bytes()
    (config.folder / "report.html").unlink()
    (config.folder / "accuracy.png").unlink()
    (config.folder / "accuracy.png").mkdir()
    train(config)
    assert "warning: report.html can't be drawn (IsADirectoryError" in capsys.readouterr().err
    (config.folder / "accuracy.png").rmdir()
    train(config)
    assert len((config.folder / "report.html").read_bytes()) == len(drawn)


def test_figures_are_given_without_the_images_that_cross_given_splits(config: TrainConfig, tmp_path: Path) -> None:
    data = write_splits(tmp_path / "split", "train", "val", "test", count=4)
    shutil.copy(data / "train/red/red (0).JPG", data / "test/red/copy.jpg")
    train(replace(config, data=data, epochs=1))
    found = results(config)
    assert found["test"]["images"] == 13  # type: ignore[index]
    assert found["test_untouched"]["images"] == 12  # type: ignore[index]


def test_many_options_of_the_data_are_no_part_of_a_run(config: TrainConfig) -> None:
    train(config)
    train(replace(config, shares="3/1/1", min_images=2))
    with pytest.raises(UserError, match="has a run with other settings"):
        train(replace(config, shares="40/40/20"))


def test_the_lock_is_left_where_it_is(config: TrainConfig) -> None:
    with hold_run(config.folder), hold_run(config.folder):
        assert os.listdir(config.runs) == [".r.lock"]
