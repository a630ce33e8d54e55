"""Options in, the frozen network whose features are used out: a run's, a file's, ImageNet's, or an untrained one."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from contract import ImageSpec
from contract.image import LATEST_DECODING
from dataset.data_set import DataSet
from training.baseline.config import BaselineConfig
from training.config import CROP_SHARE, Architecture
from training.model.device import pick_device
from training.model.network import Classifier
from training.run_files import read_config
from training.weights.errors import UnreachableError
from training.weights.load import load_weights
from training.weights.runs import best_of, find_run

TRAINED: tuple[Architecture, int] = ("resnet152", 224)
# Random filters tell textures, and neither depth nor detail adds to that.
UNTRAINED: tuple[Architecture, int] = ("resnet18", 128)


@dataclass(frozen=True, kw_only=True)
class Network:
    """`name` says in words what the features are, and `run` is the folder that the weights come from, if they
    are of a run or in a file.
    """

    model: Classifier
    spec: ImageSpec
    device: torch.device
    trained: bool
    name: str
    run: Path | None = None


def choose_network(config: BaselineConfig, data: DataSet) -> Network:
    """Build the network that the options name. Raises `WeightsError`."""
    run = find_run(config.weights, config.runs)
    if run is not None:
        return _of_run(config, data, run)
    if config.weights != "auto":
        return _build(config, data, config.weights)
    try:
        return _build(config, data, "imagenet")
    except UnreachableError:
        return _build(config, data, "none")


def _build(config: BaselineConfig, data: DataSet, weights: str) -> Network:
    arch, size = UNTRAINED if weights == "none" else TRAINED
    names = {"none": "an untrained {}", "imagenet": "{} as trained on ImageNet"}
    spec = _spec(config, data, {"size": size, "fit": "crop", "contrast": "none"})
    network = _frozen(config, data, config.arch or arch, spec, weights, names.get(weights, f"{{}} with {weights}"))
    # A run keeps its weights in a folder of its own.
    return replace(network, run=Path(weights).parent.parent) if weights not in names else network


def _of_run(config: BaselineConfig, data: DataSet, run: Path) -> Network:
    settings = read_config(run)
    arch = config.arch or settings["arch"]
    # Runs of an older program have no contrast.
    spec = _spec(config, data, {"contrast": "none", **settings})
    network = _frozen(config, data, arch, spec, str(best_of(run, arch)), f"{{}} of the run {run.name}")
    return replace(network, run=run)


def _spec(config: BaselineConfig, data: DataSet, otherwise: dict[str, Any]) -> ImageSpec:
    """What the options say, and what holds otherwise."""
    size = config.size or otherwise["size"]
    return ImageSpec(
        size=size,
        resize=round(size / CROP_SHARE),
        fit=config.fit or otherwise["fit"],
        contrast=config.contrast or otherwise["contrast"],
        depth=data.depth,
        decoding=LATEST_DECODING,
    )


def _frozen(
    config: BaselineConfig, data: DataSet, arch: Architecture, spec: ImageSpec, weights: str, name: str
) -> Network:
    torch.manual_seed(config.seed)
    model = Classifier(arch, len(data.classes), spec)
    load_weights(model, weights, arch, data.labels)
    device = pick_device(config.device)
    model.to(device).to(memory_format=torch.channels_last)
    trained = weights != "none"
    return Network(model=model.eval(), spec=spec, device=device, trained=trained, name=name.format(arch))
