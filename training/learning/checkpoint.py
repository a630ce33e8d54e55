"""A run's state on disk: written whole or not at all, read without unpickling code."""

import io
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from contract import ClassLabel, ImageSpec
from contract.atomic import write_atomically
from training.errors import CheckpointError
from training.model.network import Classifier
from training.run_files import BEST, CHECKPOINTS, LAST


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """The best epoch of a run, ready to be evaluated or exported."""

    model: Classifier
    arch: str
    classes: tuple[ClassLabel, ...]
    image: ImageSpec
    epoch: int


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint atomically: after a crash or on a full disk the previous one still stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # By way of memory: writing to the disk itself, torch turns "no space left" into an internal error.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_atomically(path, lambda file: file.write(buffer.getbuffer()))


def load(path: Path) -> dict[str, Any]:
    """A checkpoint's content. Raises `CheckpointError`."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; train the model first: make train") from None
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged or not a checkpoint of this program; train again") from error
    return content


def shrink(folder: Path) -> None:
    """Leave the last weights of a finished run alone: the optimizer's state is twice as large, and of no more use."""
    content = load(folder / LAST)
    save({"model": content["model"], "progress": content["progress"]}, folder / LAST)


def discard(folder: Path) -> None:
    """Remove the checkpoints of a run whose models are no longer needed."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def describe_model(model: Classifier, arch: str, classes: tuple[ClassLabel, ...], image: ImageSpec) -> dict[str, Any]:
    """What `load_best` needs to rebuild the model, as values `weights_only` accepts."""
    return {
        "arch": arch,
        "classes": [[entry.label, entry.display_name] for entry in classes],
        "image": asdict(image),
        "model": model.state_dict(),
    }


def load_best(folder: Path) -> TrainedModel:
    """The model of the run's best epoch, on the CPU, in evaluation mode. Raises `CheckpointError`."""
    content = load(folder / BEST)
    spec = ImageSpec(**content["image"])
    classes = tuple(ClassLabel(label=label, display_name=name) for label, name in content["classes"])
    model = Classifier(content["arch"], len(classes), spec)
    model.load_state_dict(content["model"])
    return TrainedModel(model=model.eval(), arch=content["arch"], classes=classes, image=spec, epoch=content["epoch"])
