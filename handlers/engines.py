"""Opens the archive's model file with the right engine, and decides how many threads a worker uses."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import contract
from contract import Manifest, UserError
from contract.golden import replay
from handlers.engine import Engine


class ArchiveError(UserError):
    """An archive that this worker can't run."""


def open_engine(
    model_file: Path, manifest: Manifest, settings: Mapping[str, Any], threads: int, gpu: int | None
) -> Engine:
    """Load the model on `threads` CPU threads or on CUDA device `gpu`. Raises `UserError`.

    An archive contains only one engine, so only that one is imported. For ONNX, `handler` in the archive's
    model-config.yaml may name a `provider` and a `precision`.
    """
    if model_file.suffix == ".pt":
        from handlers.torchscript import open_torchscript

        run, folder = open_torchscript(model_file, threads, gpu), model_file.parent
        prove = partial(replay, folder, manifest.image, lambda pixels: run(pixels).logits)
        return Engine(name="torchscript fp32", run=run, prove=prove)
    if model_file.suffix == ".onnx":
        from handlers.onnx import open_onnx

        wanted = settings.get("handler") or {}
        known = {name: wanted[name] for name in ("provider", "precision") if name in wanted}
        return open_onnx(model_file.parent, manifest, threads, gpu, **known)
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
