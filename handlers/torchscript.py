"""Loads a TorchScript file as a function from pixels to `Outputs`."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from contract.graph import Outputs


def open_torchscript(path: Path, threads: int, gpu: int | None) -> Callable[[NDArray[np.uint8]], Outputs]:
    """Load `path` on the CPU with `threads` threads, or on CUDA device `gpu`, in strict fp32."""
    torch.set_num_threads(threads)
    # TF32 keeps only 10 bits of the mantissa, so the answers would differ from those of the validated model.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device = torch.device("cpu" if gpu is None else f"cuda:{gpu}")
    module = _load(path, device)

    def run(images_nhwc: NDArray[np.uint8]) -> Outputs:
        with torch.inference_mode():
            tensors = module(torch.tensor(images_nhwc, device=device))
        return Outputs(*(tensor.cpu().numpy() for tensor in tensors))

    return run


def _load(path: Path, device: torch.device) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        # torch 2.15 warns at every load that TorchScript is deprecated, but TorchServe can't load a newer format.
        warnings.simplefilter("ignore", FutureWarning)
        module: torch.jit.ScriptModule = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    return module.eval()
