"""The files that a run leaves in its folder, read by the commands that come after training. Needs no torch."""

import json
from pathlib import Path
from typing import Any

from contract.manifest import sha256_of
from training.errors import CheckpointError

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"
RESULTS_FILE = "results.json"
SPLIT_FILE = "split.csv"
DATA_PAGE = "data.html"
PREVIEW_FILE = "augmentation.png"
VALIDATION_FILE = "validation.npz"
PARITY_FILE = "parity.npz"
FOLDS = "folds"
TEST_FILE = "test.npz"
CHECKPOINTS = "checkpoints"
LAST = f"{CHECKPOINTS}/last.pt"
BEST = f"{CHECKPOINTS}/best.pt"
# Those that the results stand for; not every run has test images, or folds.
MEASURED_FILES = (CONFIG_FILE, BEST, VALIDATION_FILE)


def read_results(folder: Path) -> dict[str, Any]:
    """What training wrote last. Raises `CheckpointError` for a run that has not ended."""
    return _read_json(folder / RESULTS_FILE, f"finish training {folder.name} first")


def read_config(folder: Path) -> dict[str, Any]:
    """The run's settings and its data's fingerprint. Raises `CheckpointError`."""
    return _read_json(folder / CONFIG_FILE, f"train {folder.name} first")


def read_history(folder: Path) -> list[dict[str, float]]:
    """One record for each epoch. Raises `CheckpointError`."""
    path = folder / METRICS_FILE
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; train {folder.name} first") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}); train {folder.name} again") from error


def _read_json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; {remedy}") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}); {remedy}") from error
    return content


def hash_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of the run that its results stand for."""
    more = [name for name in (TEST_FILE, PARITY_FILE) if (folder / name).exists()]
    return {name: sha256_of(folder / name) for name in (*MEASURED_FILES, *more)}


def check_files(folder: Path, results: dict[str, Any]) -> None:
    """Compare the run's files with the hashes in its results; older results hold none. Raises `CheckpointError`."""
    hashes: dict[str, str] = results.get("files", {})
    changed = [name for name, expected in hashes.items() if sha256_of(folder / name) != expected]
    if changed:
        raise CheckpointError(
            f"{', '.join(changed)} is not of the training that wrote {folder / RESULTS_FILE}; "
            f"train {folder.name} again with OVERWRITE=1"
        )
