"""Opens the archive's model file with the right engine, and decides how many threads a worker uses."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import contract
from contract import UserError
from contract.graph import Outputs


class ArchiveError(UserError):
    """An archive that this worker can't run."""


def open_engine(model_file: Path, threads: int, gpu: int | None) -> Callable[[NDArray[np.uint8]], Outputs]:
    """Load the model on `threads` CPU threads or on CUDA device `gpu`. Raises `UserError`.

    An archive contains only one engine, so only that one is imported.
    """
    if model_file.suffix == ".pt":
        from handlers.torchscript import open_torchscript

        return open_torchscript(model_file, threads, gpu)
    if model_file.suffix == ".onnx":
        from handlers.onnx import open_onnx

        return open_onnx(model_file, threads, gpu)
    raise ArchiveError(f"the model file is {model_file.name}; expected .pt or .onnx: pack it again with make archive")


def cores_for(settings: Mapping[str, Any]) -> int:
    """Threads for one worker, from the archive's model-config.yaml: `threads`, or the usable cores / `maxWorkers`.

    Without this limit, each worker would start a thread for every core and they would compete for the cores.
    """
    chosen = (settings.get("handler") or {}).get("threads", 0)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(chosen) or max(1, cores // max(1, int(settings.get("maxWorkers", 1))))


def check_imports(folder: Path) -> None:
    """Check that `contract` was imported from the archive. Raises `ArchiveError`.

    Folders in PYTHONPATH are searched before the archive, so other code could be used instead of the packed code.
    """
    used = Path(contract.__file__).resolve().parent.parent
    if (folder / "contract").is_dir() and used != folder.resolve():
        raise ArchiveError(f"contract was imported from {used}, not from the archive; start with PYTHONPATH unset")
