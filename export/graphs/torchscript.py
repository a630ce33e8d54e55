"""Exports the deployable module as `model.pt` (TorchScript)."""

import warnings
from pathlib import Path

import torch
from torch import Tensor

from export.graphs.deployable import Deployable


def write_torchscript(module: Deployable, example: Tensor, path: Path) -> None:
    """Trace `module` on `example`, uint8 [N >= 2, H, W, 3]. Any batch size works, as no operation depends on it."""
    with warnings.catch_warnings():
        # torch 2.15 warns at every call that TorchScript is deprecated, but TorchServe can't load a newer format.
        warnings.simplefilter("ignore", FutureWarning)
        # No check here: the parity checks test the written file on more inputs than this example.
        traced = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, path)


def load_torchscript(path: Path) -> torch.jit.ScriptModule:
    """The module in `path`, in evaluation mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        module: torch.jit.ScriptModule = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    return module.eval()
