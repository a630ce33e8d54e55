"""The run's folder: whether training may start, go on, or is done already. Nothing made before is lost unasked."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from contract.atomic import write_text_atomically
from contract.manifest import sha256_of
from training.command import make_command
from training.config import TrainConfig
from training.learning import checkpoint
from training.learning.checkpoint import CheckpointError

CONFIG_FILE = "config.json"
RESULTS_FILE = "results.json"
SPLIT_FILE = "split.csv"
VALIDATION_FILE = "validation.npz"
MEASURED_FILES = (CONFIG_FILE, f"checkpoints/{checkpoint.BEST}", VALIDATION_FILE)
# How a run is started or where it is computed; none of it makes another run of it.
_NOT_PART_OF_THE_RUN = {"resume", "overwrite", "runs", "workers"}


@contextmanager
def hold_run(folder: Path) -> Iterator[None]:
    """Keep other commands off the run: two at once would mix two models. Raises `CheckpointError`, `OSError`."""
    lock = FileLock(folder.parent / f".{folder.name}.lock")  # beside the folder, which is emptied for a new run
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise CheckpointError(
            f"{folder} is in use by another training or export; wait until it has ended, or choose another RUN"
        ) from None
    try:
        yield
    finally:
        lock.release()


def open_run(config: TrainConfig) -> None:
    """Make the run's folder, and check that it can be written before hours are spent. Raises `OSError`."""
    config.folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(config.folder / ".writable", "")
    (config.folder / ".writable").unlink()


def find_start(config: TrainConfig, fingerprint: str) -> dict[str, Any] | None:
    """The checkpoint to continue from, or None to start anew. Nothing is changed yet.

    Raises `CheckpointError` where the folder holds something else than this run, or this run without `resume`.
    """
    if any(config.folder.iterdir()) and not (config.folder / CONFIG_FILE).exists():
        raise CheckpointError(f"{config.folder} has files but is not a run's folder; choose another RUN")
    last = config.folder / "checkpoints" / checkpoint.LAST
    if config.overwrite or not (last.exists() or is_finished(config)):
        return None
    _check_same_run(config, fingerprint)
    if is_finished(config):
        return None
    state = checkpoint.load(last)
    if not config.resume:
        raise CheckpointError(
            f"{config.folder} has an interrupted run ({state['epoch']} of {config.epochs} epochs); "
            f"continue it with: {make_command(replace(config, resume=True))}\n"
            "or discard it with OVERWRITE=1"
        )
    return state


def begin_run(config: TrainConfig, fingerprint: str) -> None:
    """Empty the folder of what stood there and write down the settings: from here on it is this run's."""
    shutil.rmtree(config.folder)
    config.folder.mkdir()
    text = json.dumps(_settings(config, fingerprint), ensure_ascii=False, indent=2)
    write_text_atomically(config.folder / CONFIG_FILE, text + "\n")


def discard_if_empty(folder: Path) -> None:
    """Leave no folder behind for a run that never began."""
    if not any(folder.iterdir()):
        folder.rmdir()


def is_finished(config: TrainConfig) -> bool:
    """Whether the run has its results, and is to keep them."""
    return (config.folder / RESULTS_FILE).exists() and not config.overwrite


def read_results(folder: Path) -> dict[str, Any]:
    """What training wrote last. Raises `CheckpointError` for a run that has not ended."""
    return _read_json(folder / RESULTS_FILE, f"finish training {folder.name} first")


def hash_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of the run that its results stand for."""
    return {name: sha256_of(folder / name) for name in MEASURED_FILES}


def check_files(folder: Path, results: dict[str, Any]) -> None:
    """Compare the run's files with the hashes in its results; older results hold none. Raises `CheckpointError`."""
    hashes: dict[str, str] = results.get("files", {})
    changed = [name for name, expected in hashes.items() if sha256_of(folder / name) != expected]
    if changed:
        raise CheckpointError(
            f"{', '.join(changed)} is not of the training that wrote {folder / RESULTS_FILE}; "
            f"train {folder.name} again with OVERWRITE=1"
        )


def read_config(folder: Path) -> dict[str, Any]:
    """The run's settings and its data's fingerprint. Raises `CheckpointError`."""
    return _read_json(folder / CONFIG_FILE, f"train {folder.name} first")


def _read_json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; {remedy}") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}); {remedy}") from error
    return content


def _settings(config: TrainConfig, fingerprint: str) -> dict[str, Any]:
    values = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(config).items()
        if name not in _NOT_PART_OF_THE_RUN
    }
    return {**values, "data_fingerprint": fingerprint}


def _check_same_run(config: TrainConfig, fingerprint: str) -> None:
    now, then = _settings(config, fingerprint), read_config(config.folder)
    changed = [f"{name} was {then.get(name)}, now {value}" for name, value in now.items() if then.get(name) != value]
    if changed:
        raise CheckpointError(
            f"{config.folder} has a run with other settings ({'; '.join(changed)}); "
            "choose another RUN, or discard it with OVERWRITE=1"
        )
