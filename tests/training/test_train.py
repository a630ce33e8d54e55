"""The path of a run, with a real resnet18 on pictures drawn by program."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from contract import UserError
from export.config import ExportConfig
from export.export import export, read_run
from tests.commands import REPOSITORY, call_module, run_module, run_python
from tests.pictures import TINTS, draw, encode, write_images
from training.config import TrainConfig
from training.errors import CheckpointError
from training.learning import checkpoint
from training.learning.checkpoint import load_best
from training.learning.engine import DivergedError, train_one_epoch
from training.learning.judge import ByValidation
from training.train import train


@pytest.fixture
def config(images: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(data=images, run="r", runs=tmp_path, arch="resnet18", weights="none", size=32, epochs=3, batch=8)


def arguments(config: TrainConfig, *more: str) -> list[str]:
    """The command line that makes `config`."""
    options = f"--run {config.run} --arch resnet18 --weights none --size 32 --epochs {config.epochs} --batch 8"
    return ["training", "--data", str(config.data), "--runs", str(config.runs), *options.split(), *more]


def quoted(path: Path) -> str:
    """How a shell takes it, for a regular expression."""
    return re.escape(shlex.quote(str(path)))


def held_by_another(folder: Path) -> FileLock:
    """The lock of a run, as another process holds it."""
    return FileLock(folder.parent / f".{folder.name}.lock")


def last_weights(folder: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = checkpoint.load(folder / "checkpoints" / "last.pt")["model"]
    return weights


def same_weights(first: Path, second: Path) -> bool:
    one, other = last_weights(first), last_weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def interrupt_after(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C in the middle of the epoch that follows."""

    def pressed(model, batches, step, sums, on_step):  # type: ignore[no-untyped-def]
        if batches.epoch > epochs:
            next(iter(batches))
            raise KeyboardInterrupt
        return train_one_epoch(model, batches, step, sums, on_step)

    monkeypatch.setattr("training.learning.fit.train_one_epoch", pressed)


def test_a_run_leaves_everything_a_person_needs(run_folder: Path) -> None:
    names = {path.relative_to(run_folder).as_posix() for path in run_folder.rglob("*") if path.is_file()}
    assert names - {name for name in names if name.startswith("bundle") or name.endswith(".jpg")} == {
        "accuracy.png", "augmentation.png", "checkpoints/best.pt", "checkpoints/last.pt", "config.json",
        "confusion_matrix.png", "data.html", "loss.png", "metrics.jsonl", "mistakes/mistakes.json", "model_card.md",
        "names.json", "report.html", "results.json", "split.csv", "test.npz", "validation.npz",
    }  # fmt: skip


def test_a_run_learns(run_folder: Path) -> None:
    results = json.loads((run_folder / "results.json").read_text())
    assert results["test"]["accuracy"] >= 0.8
    low, high = results["test"]["accuracy_interval"]
    assert low < results["test"]["accuracy"] <= high


def test_metrics_have_a_line_per_epoch(run_folder: Path) -> None:
    records = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == list(range(1, 11))
    assert {"train_loss", "val_accuracy", "lr", "images_per_s"} <= set(records[0])


def test_the_report_stands_alone(run_folder: Path) -> None:
    report = (run_folder / "report.html").read_text(encoding="utf-8")
    assert "蓝色" in report
    assert report.count("data:image/png;base64,") == 4
    assert "http" not in report.replace("data:image", "")


@pytest.mark.slow
def test_resumed_and_uninterrupted_runs_end_in_the_same_bits(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(config, run="whole")
    train(whole)
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        with pytest.raises(
            KeyboardInterrupt,
            match=rf"1 of 3 epochs are saved; continue with: make train DATA={quoted(config.data)} RUN=r .*RESUME=1",
        ):
            train(config)
    train(replace(config, resume=True))
    assert same_weights(config.folder, whole.folder)
    assert load_best(config.folder).epoch == load_best(whole.folder).epoch


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_training_is_one_line_and_the_signals_exit_code(
    config: TrainConfig, number: signal.Signals, code: int
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments(replace(config, epochs=50))],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch   2"):
            process.send_signal(number)
            break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert errors.startswith("stopped. ")
    assert re.search(
        r"epochs( and \d+ steps?)? are saved; continue with: make train "
        rf"DATA={quoted(config.data)} RUN=r ARCH=resnet18 .*EPOCHS=50",
        errors,
    )
    assert len(errors.splitlines()) == 1


GBK = os.fsdecode("斑".encode("gbk"))
"""A name as a zip archive from Chinese Windows leaves it."""


@pytest.mark.parametrize("place", ["file", "class", "display name", "names", "data"])
def test_names_that_are_not_utf_8_are_refused_before_the_finished_run_is_removed(
    place: str, run_folder: Path, images: Path, tmp_path: Path
) -> None:
    finished = shutil.copytree(run_folder, tmp_path / "runs" / "tiny")
    data = shutil.copytree(images, tmp_path / ("data" if place != "data" else GBK))
    names = tmp_path / ("names.json" if place != "names" else f"{GBK}.json")
    display_name = "\ud800" if place == "display name" else "红"
    names.write_text(json.dumps({"blue": "blue", "grün": "grün", "red": display_name}))
    if place == "file":
        (data / "red" / "red (0).JPG").rename(data / "red" / f"{GBK}.JPG")
    if place == "class":
        (data / "red").rename(data / GBK)
    with pytest.raises(UserError, match=r"not UTF-8|not valid Unicode") as refused:
        train(TrainConfig(data=data, names=names, runs=finished.parent, run="tiny", weights="none", overwrite=True))
    assert len(str(refused.value).encode().splitlines()) == 1
    assert (finished / "results.json").exists()


def test_two_commands_do_not_work_on_one_run_at_once(config: TrainConfig, run_folder: Path, tmp_path: Path) -> None:
    finished = shutil.copytree(run_folder, tmp_path / "tiny", ignore=shutil.ignore_patterns("bundle"))
    for folder, command in (
        (config.folder, lambda: train(replace(config, overwrite=True))),
        (finished, lambda: export(ExportConfig(run="tiny", runs=tmp_path))),
    ):
        with (
            held_by_another(folder),
            pytest.raises(CheckpointError, match="is in use by another training or export; wait"),
        ):
            command()
    assert list(tmp_path.glob("*/bundle")) == []


def test_results_of_one_training_are_not_exported_with_the_files_of_another(run_folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "checkpoints/best.pt", "validation.npz", "test.npz"):
        mixed = shutil.copytree(run_folder, tmp_path / "tiny", dirs_exist_ok=True)
        with (mixed / name).open("ab") as file:
            file.write(b" ")
        with pytest.raises(CheckpointError, match=rf"{name} is not of the training that wrote .*results.json; train"):
            export(ExportConfig(run="tiny", runs=tmp_path))


def test_a_run_from_before_results_held_hashes_is_exported(run_folder: Path, tmp_path: Path) -> None:
    old = shutil.copytree(run_folder, tmp_path / "tiny")
    results = json.loads((old / "results.json").read_text(encoding="utf-8"))
    del results["files"]
    (old / "results.json").write_text(json.dumps(results), encoding="utf-8")
    read_run(old)


def test_an_interrupted_run_is_not_overwritten_unasked(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_after(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    with pytest.raises(CheckpointError, match=r"interrupted run \(1 epoch so far\); continue it with: .*RESUME=1"):
        train(config)


def test_a_finished_run_is_left_as_it_is(run_folder: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run_folder / "results.json").stat().st_mtime_ns
    names = images.parent / "names.json"
    same = TrainConfig(
        data=images, run="tiny", runs=run_folder.parent, arch="resnet18", weights="none",
        size=32, epochs=10, batch=8, names=names,
    )  # fmt: skip
    train(same)
    assert (run_folder / "results.json").stat().st_mtime_ns == before
    assert "Next: make export RUN=tiny" in capsys.readouterr().out
    with pytest.raises(
        CheckpointError, match=r"has a run with other settings \(epochs was 10, now 11\); choose another RUN"
    ):
        train(replace(same, epochs=11))


@pytest.mark.slow
def test_overwrite_discards_the_old_run(config: TrainConfig) -> None:
    train(replace(config, epochs=1))
    train(replace(config, epochs=2, overwrite=True))
    assert len((config.folder / "metrics.jsonl").read_text().splitlines()) == 2


def test_overwrite_keeps_the_old_run_until_the_new_one_can_begin(config: TrainConfig, tmp_path: Path) -> None:
    train(replace(config, epochs=1))
    for bad in ({"data": tmp_path / "nowhere"}, {"weights": str(tmp_path / "absent.pth")}):
        with pytest.raises(UserError):
            train(replace(config, overwrite=True, **bad))
    assert (config.folder / "results.json").exists()


def test_a_folder_of_other_files_is_left_alone(config: TrainConfig) -> None:
    config.folder.mkdir()
    (config.folder / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="has files but is not a run's folder"):
        train(replace(config, overwrite=True))
    assert (config.folder / "notes.txt").read_text() == "mine"


def test_a_run_that_never_began_leaves_no_folder(config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        train(replace(config, data=tmp_path / "nowhere"))
    assert not config.folder.exists()


def test_brackets_in_class_names_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_images(tmp_path / "d", 4, {"Rost [common]": (200, 0, 0), "[ok]": (0, 200, 0)})
    train(TrainConfig(data=data, run="b", runs=tmp_path, arch="resnet18", weights="none", size=32, epochs=1, batch=8))
    printed = capsys.readouterr().out
    assert "Rost [common]" in printed
    assert "[ok] " in printed


def test_changed_data_are_not_resumed(config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = replace(config, data=write_images(tmp_path / "own", 5))
    interrupt_after(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(own)
    (own.data / "red" / "new.jpg").write_bytes(encode(draw((40, 40), TINTS["red"], 123)))
    with pytest.raises(CheckpointError, match="data_fingerprint was"):
        train(replace(own, resume=True))


def test_a_loss_that_is_no_number_stops_the_run(config: TrainConfig) -> None:
    with pytest.raises(DivergedError, match="lower LR"):
        train(replace(config, lr=1e30, precision="fp32"))


def test_a_frozen_run_starts_from_given_weights(config: TrainConfig, run_folder: Path) -> None:
    best = run_folder / "checkpoints" / "best.pt"
    train(replace(config, weights=str(best), freeze=True, epochs=1))
    before, after = load_best(run_folder).model.state_dict(), load_best(config.folder).model.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {
        "backbone.fc.weight", "backbone.fc.bias"
    }  # fmt: skip


def test_best_epoch_prefers_accuracy_then_loss() -> None:
    history = [
        {"epoch": 1.0, "val_accuracy": 0.9, "val_loss": 0.5},
        {"epoch": 2.0, "val_accuracy": 0.9, "val_loss": 0.4},
        {"epoch": 3.0, "val_accuracy": 0.8, "val_loss": 0.1},
    ]
    assert ByValidation([50, 150], 0).best(history) == 2


def test_best_epoch_goes_by_macro_f1_where_one_class_is_rare() -> None:
    history = [
        {"epoch": 1.0, "val_accuracy": 0.984, "val_macro_f1": 0.496, "val_loss": 0.1},
        {"epoch": 2.0, "val_accuracy": 0.970, "val_macro_f1": 0.800, "val_loss": 0.2},
    ]
    assert ByValidation([500, 8], 0).best(history) == 2
    assert ByValidation([24, 8], 0).best(history) == 1


def test_a_damaged_checkpoint_is_refused(run_folder: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(run_folder, tmp_path / "broken")
    best = broken / "checkpoints" / "best.pt"
    best.write_bytes(best.read_bytes()[:9999])
    with pytest.raises(UserError, match="is damaged or not a checkpoint"):
        load_best(broken)


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000_000, 60_000_000))
sys.argv = ["training", *{arguments!r}]
import runpy
runpy.run_module("training", run_name="__main__")
"""


@pytest.mark.slow
def test_a_full_disk_keeps_the_last_good_checkpoint(config: TrainConfig) -> None:
    """`best` (45 MB) fits, `last` (134 MB with the optimizer's state) does not."""
    result = run_python(FULL_DISK.format(arguments=arguments(config)[1:]))
    assert (result.returncode, result.stderr.splitlines()[-1]) == (
        1,
        f"error: {config.folder}/checkpoints/last.pt: File too large",
    )
    assert [path.name for path in (config.folder / "checkpoints").iterdir()] == ["best.pt"]
    assert load_best(config.folder).epoch == 1


def test_an_unwritable_run_folder_is_one_line_and_exit_1(config: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = call_module(*arguments(replace(config, runs=tmp_path / "file")))
    assert result.returncode == 1
    assert result.stderr == f"error: {tmp_path / 'file' / 'r'}: Not a directory\n"


def test_bad_data_is_one_line_and_exit_1(config: TrainConfig, tmp_path: Path) -> None:
    result = call_module(*arguments(replace(config, data=tmp_path / "nowhere")))
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {tmp_path / 'nowhere'} is neither a folder nor a CSV file")


def test_bad_options_exit_2(config: TrainConfig) -> None:
    result = run_module(*arguments(config, "--lr", "-1"))
    assert (result.returncode, result.stderr) == (2, "error: lr is -1.0; expected more than 0\n")
