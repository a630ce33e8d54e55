"""A model and where its weights come from in, the model with these weights out."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from training.model.network import Classifier
from training.weights.errors import WeightsError
from training.weights.files import SHOWN, Weights, read_weights
from training.weights.imagenet import download, imagenet_url

WRAPPERS = {"module", "backbone", "model", "net", "resnet", "_orig_mod"}
HEADS = {"fc", "classifier", "head"}


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
