"""The archive's model file in, the function that runs it out; and what a worker may take of the machine."""

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
    """Load the model on `threads` CPU threads or on CUDA's device `gpu`. Raises `UserError`.

    An archive holds one engine, so the other one is never imported.
    """
    if model_file.suffix == ".pt":
        from handlers.torchscript import open_torchscript

        return open_torchscript(model_file, threads, gpu)
    if model_file.suffix == ".onnx":
        from handlers.onnx import open_onnx

        return open_onnx(model_file, threads, gpu)
    raise ArchiveError(f"the model file is {model_file.name}; expected .pt or .onnx; pack it with make archive")


def cores_for(settings: Mapping[str, Any]) -> int:
    """Threads for one worker: its share of the cores this process may use, by the archive's model-config.yaml.

    Without a share each worker would take all cores, and they would spend their time switching.
    """
    chosen = (settings.get("handler") or {}).get("threads", 0)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(chosen) or max(1, cores // max(1, int(settings.get("maxWorkers", 1))))


def check_imports(folder: Path) -> None:
    """A PYTHONPATH comes before the archive and could put other code in place of the code that was packed.

    Raises `ArchiveError` if it did.
    """
    used = Path(contract.__file__).resolve().parent.parent
    if (folder / "contract").is_dir() and used != folder.resolve():
        raise ArchiveError(f"contract was imported from {used} and not from the archive; start with PYTHONPATH unset")
