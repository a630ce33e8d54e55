"""Pretrained weights in, a classifier that starts from them out. Nothing is ever unpickled as code."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import get_model_weights

from contract import UserError
from contract.manifest import sha256_of
from training.model.network import Classifier

SHOWN = 3
WRAPPERS = {"module", "backbone", "model", "net", "resnet", "_orig_mod"}
HEADS = {"fc", "classifier", "head"}
# In torch's words, where a file has more in it than tensors and plain values.
HOLDS_CODE = ("Unsupported global", "Unsupported class", "was not an allowed global")


class WeightsError(UserError):
    """Weights that can't be had, can't be read, or belong to another network."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Tensors by name, and the labels of the classes that the last layer knows, where the file tells them."""

    tensors: dict[str, Tensor]
    labels: list[str] | None = None


def load_weights(model: Classifier, source: str, arch: str, labels: Sequence[str]) -> bool:
    """Start `model` from `source`: "imagenet", "none", or a .pth or .safetensors file.

    The backbone must match to the last tensor; the head is taken if it has the same classes, else left fresh.
    Returns whether the head was taken. Raises `WeightsError`.
    """
    if source == "none":
        return False
    weights = Weights(tensors=download(imagenet_url(arch))) if source == "imagenet" else read_weights(Path(source))
    keep_head = weights.labels is None or weights.labels == list(labels)
    return _fill(model, weights.tensors, source, arch, keep_head=keep_head)


def imagenet_url(arch: str) -> str:
    """Where torchvision keeps its current weights of `arch`; the file's name ends in its hash."""
    weights = get_model_weights(arch)
    return str(weights["DEFAULT"].url)


def download(url: str) -> dict[str, Tensor]:
    """The weights at `url`, kept in torch.hub's cache, hash checked. Raises `WeightsError`."""
    name = url.rsplit("/", 1)[-1]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / name
    _check_cached(cached)
    try:
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True
        )
    except (URLError, TimeoutError, ConnectionError) as error:
        raise WeightsError(
            f"the weights {name} can't be downloaded ({error}); "
            f"download {url} on another machine and save it as {cached}, "
            "or start from random weights, which needs thousands of images to learn well: WEIGHTS=none"
        ) from error
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise WeightsError(
            f"the weights {name} are damaged ({_first_line(error)}); delete {cached} and try again"
        ) from error
    return state


def _check_cached(cached: Path) -> None:
    """torch.hub checks the hash in a name while downloading; a file that was put there by hand is checked here."""
    expected = torch.hub.HASH_REGEX.search(cached.name)
    if expected and cached.is_file() and not sha256_of(cached).startswith(expected[1]):
        raise WeightsError(
            f"{cached} is not the expected file (its hash differs from the one in its name); delete it and try again"
        )


def read_weights(path: Path) -> Weights:
    """The tensors in a .pth or .safetensors file. Raises `WeightsError`."""
    if not path.is_file():
        raise WeightsError(
            f"{path} does not exist; expected WEIGHTS to be imagenet, none, or a .pth or .safetensors file"
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
            f"{path} is not a complete weights file ({_first_line(error)}); "
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


def _fill(model: Classifier, state: dict[str, Tensor], source: str, arch: str, *, keep_head: bool) -> bool:
    state = {_without_wrappers(name): tensor for name, tensor in state.items()}
    own = model.backbone.state_dict()
    wrong = [name for name, tensor in own.items() if not _may_be_fresh(name) and not _fits(state, name, tensor)]
    foreign = sorted(name for name in set(state) - set(own) if not _is_head(name))
    if wrong or foreign:
        listed = ", ".join((wrong + foreign)[:SHOWN])
        raise WeightsError(
            f"{source} does not fit {arch}: {len(wrong)} tensors are missing or have another shape and "
            f"{len(foreign)} are unknown ({listed}, …); set ARCH to the architecture that it was saved from"
        )
    taken = {
        name: state[name] if _fits(state, name, tensor) and (keep_head or not _is_head(name)) else tensor
        for name, tensor in own.items()
    }
    model.backbone.load_state_dict(taken)
    return all(taken[name] is not tensor for name, tensor in own.items() if _is_head(name))


def _without_wrappers(name: str) -> str:
    """The name in a bare ResNet: programs nest it in other modules, `DataParallel` and `torch.compile` among them."""
    while (head := name.partition(".")[0]) in WRAPPERS:
        name = name.removeprefix(f"{head}.")
    return name


def _may_be_fresh(name: str) -> bool:
    """Heads are often others, and files from before PyTorch 0.4.1 do not count batches."""
    return _is_head(name) or name.endswith("num_batches_tracked")


def _is_head(name: str) -> bool:
    return name.partition(".")[0] in HEADS


def _fits(state: dict[str, Tensor], name: str, tensor: Tensor) -> bool:
    return name in state and state[name].shape == tensor.shape


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
