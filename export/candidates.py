"""The models to compare, with one interface: pixels in, `Outputs` out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contract import Adjustment
from contract.graph import Outputs
from contract.manifest import COMPILED_FILE, ONNX_FILE, PT2_FILE, TORCHSCRIPT_FILE
from export.graphs.compiled import load_compiled
from export.graphs.exported_program import load_exported_program
from export.graphs.torchscript import load_torchscript
from runtime import Session
from training.model.activation import class_activation_maps
from training.model.network import Classifier


class Candidate(Protocol):
    """A model that takes uint8 [N, H, W, 3] pixels."""

    @property
    def name(self) -> str:
        """Its name in the parity table."""
        ...

    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        """Run a batch."""
        ...


class Eager:
    """The trained model itself. Probabilities and maps are computed here, independently of the exported module."""

    name = "eager"

    def __init__(self, classifier: Classifier, temperature: float, adjustment: Adjustment) -> None:
        self.classifier, self.temperature = classifier.eval(), temperature
        self.offsets = adjustment.offsets

    @torch.inference_mode()
    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        """Run a batch."""
        images = torch.from_numpy(images_nhwc.copy())
        logits = self.classifier(images).numpy()
        adjusted = logits - self.offsets
        scaled = np.exp((adjusted - adjusted.max(axis=1, keepdims=True)) / self.temperature)
        maps = class_activation_maps(self.classifier, images_nhwc)
        return Outputs(logits, scaled / scaled.sum(axis=1, keepdims=True), maps)


@dataclass(frozen=True)
class TorchScript:
    """`model.pt`, loaded as TorchServe loads it, or another module that torch has loaded from a file."""

    module: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
    name: str = "torchscript cpu"

    @torch.inference_mode()
    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        """Run a batch."""
        return Outputs(*(output.numpy() for output in self.module(torch.from_numpy(images_nhwc.copy()))))


@dataclass(frozen=True)
class OnnxRuntime:
    """`model.onnx` on an execution provider, with the options used for serving."""

    session: Session
    name: str = "onnxruntime cpu"

    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        """Run a batch."""
        return self.session.run(images_nhwc)


def open_candidates(folder: Path) -> list[Candidate]:
    """Every exported model in `folder`, loaded from disk."""
    found: list[Candidate] = [
        TorchScript(load_torchscript(folder / TORCHSCRIPT_FILE)),
        OnnxRuntime(Session((folder / ONNX_FILE).read_bytes())),
    ]
    if (folder / PT2_FILE).exists():
        found.append(TorchScript(load_exported_program(folder / PT2_FILE), name="torch.export cpu"))
    if (folder / COMPILED_FILE).exists():
        found.append(TorchScript(load_compiled(folder / COMPILED_FILE), name="aotinductor cpu"))
    return found
