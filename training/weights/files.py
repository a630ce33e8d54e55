"""A file of weights in, its tensors out. Nothing is ever unpickled as code."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.weights.errors import WeightsError, first_line

SHOWN = 3
# In torch's words, where a file has more in it than tensors and plain values.
HOLDS_CODE = ("Unsupported global", "Unsupported class", "was not an allowed global")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Tensors by name, and the labels of the classes that the last layer knows, where the file tells them."""

    tensors: dict[str, Tensor]
    labels: list[str] | None = None


def read_weights(path: Path) -> Weights:
    """The tensors in a .pth or .safetensors file. Raises `WeightsError`."""
    if not path.is_file():
        raise WeightsError(
            f"{path} does not exist; expected WEIGHTS to be imagenet, none, a run, or a .pth or .safetensors file"
        )
    try:
        if path.suffix == ".safetensors":
            return Weights(tensors=load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        if any(sign in str(error) for sign in HOLDS_CODE):
            raise WeightsError(
                f"{path} holds a whole model or other Python objects, and reading those would run code from the file; "
                "save the weights alone: torch.save(model.state_dict(), 'weights.pth')"
            ) from error
        raise WeightsError(
            f"{path} is not a complete weights file ({first_line(error)}); "
            "download it again, or save it as .safetensors"
        ) from error
    return Weights(tensors=_unwrap(content, path), labels=_labels(content))


def _unwrap(content: object, path: Path) -> dict[str, Tensor]:
    """A state dict, bare or under the names training programs file it under."""
    for key in ("model", "state_dict", "model_state_dict", "model_state", "net", "weights"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        found = f": {', '.join(str(key) for key in list(content)[:SHOWN])}, …" if isinstance(content, dict) else ""
        raise WeightsError(f"{path} has no weights; expected a model's state_dict{found and ', found ' + found[2:]}")
    return content


def _labels(content: object) -> list[str] | None:
    """The classes in a checkpoint of this program, None in any other."""
    classes = content.get("classes") if isinstance(content, dict) else None
    return [str(label) for label, _ in classes] if isinstance(classes, list) else None
