"""The deployable module in, `model.pt` (TorchScript) out."""

import warnings
from pathlib import Path

import torch
from torch import Tensor

from export.deployable import Deployable


def write_torchscript(module: Deployable, example: Tensor, path: Path) -> None:
    """Trace `module` on `example`, uint8 [N >= 2, H, W, 3]; the batch stays free, as no operation depends on it."""
    with warnings.catch_warnings():
        # TorchServe loads nothing newer, and torch 2.15 warns of its age at every call.
        warnings.simplefilter("ignore", FutureWarning)
        # Parity checks the written file, on more than this example.
        traced = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, path)


def load_torchscript(path: Path) -> torch.jit.ScriptModule:
    """The module in `path`, in evaluation mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        module: torch.jit.ScriptModule = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    return module.eval()
