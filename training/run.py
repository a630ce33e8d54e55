"""The run's folder: whether training may start, go on, or is done already. Nothing made before is lost unasked."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contract.atomic import write_text_atomically
from contract.text import counted
from training.command import make_command
from training.config import TrainConfig
from training.errors import CheckpointError
from training.identity import differences, settings
from training.learning import checkpoint
from training.run_files import CONFIG_FILE, FOLDS, LAST, RESULTS_FILE, read_config


def open_run(config: TrainConfig) -> None:
    """Make the run's folder, and check that it can be written before hours are spent. Raises `OSError`.

    What a run that never began has replaced is put back.
    """
    before = _set_aside(config.folder)
    if before.exists() and has_begun(config.folder):
        shutil.rmtree(before)
    elif before.exists():
        _put_back(config.folder)
    config.folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(config.folder / ".writable", "")
    (config.folder / ".writable").unlink()


@dataclass(frozen=True, kw_only=True)
class Start:
    """Whether a run goes on that was begun, and with which checkpoint; folds have checkpoints of their own."""

    goes_on: bool
    state: dict[str, Any] | None = None


def find_start(config: TrainConfig, fingerprint: str) -> Start:
    """Where training starts. Nothing is changed yet.

    Raises `CheckpointError` where the folder holds something else than this run, or this run without `resume`.
    """
    if any(config.folder.iterdir()) and not (config.folder / CONFIG_FILE).exists():
        raise CheckpointError(f"{config.folder} has files but is not a run's folder; choose another RUN")
    last = config.folder / LAST
    if config.overwrite or not (has_begun(config.folder) or is_finished(config)):
        return Start(goes_on=False)
    _check_same_run(config, fingerprint)
    if is_finished(config):
        return Start(goes_on=True)
    state = checkpoint.load(last) if last.exists() else None
    if not config.resume:
        done = counted(state["progress"]["epoch"], "epoch") if state else "in its folds"
        raise CheckpointError(
            f"{config.folder} has an interrupted run ({done} so far); "
            f"continue it with: {make_command(replace(config, resume=True))}\n"
            "or discard it with OVERWRITE=1"
        )
    return Start(goes_on=True, state=state)


def has_begun(folder: Path) -> bool:
    """Whether anything of the run is saved that is worth going on from."""
    return (folder / LAST).exists() or (folder / FOLDS).exists()


class Beginning:
    """What stood in the run's folder, kept aside until the new run has saved its first epoch."""

    def __init__(self, folder: Path) -> None:
        """Set it aside, if there is anything. Raises `OSError`."""
        self._folder, self._open = folder, any(folder.iterdir())
        if self._open:
            folder.rename(_set_aside(folder))
            folder.mkdir()

    def commit(self) -> None:
        """The new run has begun: what stood there goes."""
        if self._open:
            shutil.rmtree(_set_aside(self._folder))
        self._open = False

    def undo(self) -> None:
        """Put it back, unless the new run has begun."""
        if self._open:
            _put_back(self._folder)
        self._open = False


def _set_aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.before")


def _put_back(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _set_aside(folder).rename(folder)


def write_settings(config: TrainConfig, fingerprint: str) -> None:
    """Write down the settings: the folder is this run's."""
    text = json.dumps(settings(config, fingerprint), ensure_ascii=False, indent=2)
    write_text_atomically(config.folder / CONFIG_FILE, text + "\n")


def discard_if_empty(folder: Path) -> None:
    """Leave no folder behind for a run that never began."""
    if not any(folder.iterdir()):
        folder.rmdir()


def is_finished(config: TrainConfig) -> bool:
    """Whether the run has its results, and is to keep them."""
    return (config.folder / RESULTS_FILE).exists() and not config.overwrite


def _check_same_run(config: TrainConfig, fingerprint: str) -> None:
    changed = differences(settings(config, fingerprint), read_config(config.folder))
    if changed:
        raise CheckpointError(
            f"{config.folder} has a run with other settings ({'; '.join(changed)}); "
            "choose another RUN, or discard it with OVERWRITE=1"
        )
