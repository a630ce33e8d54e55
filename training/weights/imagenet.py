"""An architecture in, its official ImageNet weights out: from torch.hub's cache, or downloaded into it."""

import pickle
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor
from torchvision.models import get_model_weights

from contract.manifest import sha256_of
from training.weights.errors import UnreachableError, WeightsError, first_line


def imagenet_url(arch: str) -> str:
    """Where torchvision keeps its current weights of `arch`; the file's name ends in its hash."""
    weights = get_model_weights(arch)
    return str(weights["DEFAULT"].url)


def place_of(url: str) -> Path:
    """Where torch.hub keeps the file at `url`, and where it may be put by hand."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def download(url: str) -> dict[str, Tensor]:
    """The weights at `url`, kept in torch.hub's cache, hash checked. Raises `WeightsError`."""
    name = url.rsplit("/", 1)[-1]
    cached = place_of(url)
    _check_cached(cached)
    try:
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True
        )
    except (URLError, TimeoutError, ConnectionError) as error:
        raise UnreachableError(
            f"the weights {name} can't be downloaded ({error}); "
            f"download {url} on another machine and save it as {cached}, "
            "or start from random weights, which needs thousands of images to learn well: WEIGHTS=none"
        ) from error
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise WeightsError(
            f"the weights {name} are damaged ({first_line(error)}); delete {cached} and try again"
        ) from error
    return state


def _check_cached(cached: Path) -> None:
    """torch.hub checks the hash in a name while downloading; a file that was put there by hand is checked here."""
    expected = torch.hub.HASH_REGEX.search(cached.name)
    if expected and cached.is_file() and not sha256_of(cached).startswith(expected[1]):
        raise WeightsError(
            f"{cached} is not the expected file (its hash differs from the one in its name); delete it and try again"
        )
