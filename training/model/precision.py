"""A model and the number formats that the hardware computes in, the fastest of them out, by timed steps.

Which one is faster depends on the processor, the network and the size of the images, and no flag of a processor tells.
"""

import contextlib
import copy
import json
import platform
import time

import torch
from torch.nn import functional

from contract.atomic import write_text_atomically
from dataset.pictures.cache import cache_folder
from training.model.device import autocast, native_formats
from training.model.network import Classifier, train_mode

CHOICES_FILE = "precisions.json"
# Steps on more images only take longer.
MOST_IMAGES = 8
# A format with fewer bits must be worth it.
WORTH = 1.1

Choice = tuple[torch.dtype, float]


def fastest_precision(model: Classifier, arch: str, size: int, batch: int, device: torch.device) -> Choice:
    """The format to train in, and how many times as fast as float32 it is.

    What was timed once on this machine is kept: a run that starts again ends in the same weights.
    """
    formats = native_formats(device)
    if formats == [torch.float32]:
        return torch.float32, 1.0
    key = _key(arch, size, batch, device)
    choices = _read()
    if key not in choices:
        seconds = {
            precision: _seconds(model, size, min(batch, MOST_IMAGES), device, precision) for precision in formats
        }
        choices = {**_read(), key: {_name(each): seconds[torch.float32] / taken for each, taken in seconds.items()}}
        _keep(choices)
    gains = choices[key]
    best = max(formats, key=lambda precision: gains.get(_name(precision), 0.0))
    return (best, gains[_name(best)]) if gains[_name(best)] >= WORTH else (torch.float32, 1.0)


def _seconds(model: Classifier, size: int, images: int, device: torch.device, precision: torch.dtype) -> float:
    """How long a step takes, after one to warm up; on a copy, as it would change the statistics of batch norms."""
    trial = copy.deepcopy(model)
    train_mode(trial)
    pixels = torch.arange(images * size * size * 3, device=device).remainder(251).to(torch.uint8)
    targets = torch.zeros(images, dtype=torch.int64, device=device)
    started = 0.0
    for _ in range(2):
        started = time.perf_counter()
        with autocast(device, precision):
            logits = trial(pixels.view(images, size, size, 3)).float()
        functional.cross_entropy(logits, targets).backward()  # type: ignore[no-untyped-call]
        if device.type == "cuda":
            torch.cuda.synchronize()
    return time.perf_counter() - started


def _key(arch: str, size: int, batch: int, device: torch.device) -> str:
    """What the time of a step depends on."""
    processor = torch.cuda.get_device_name() if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    where = f"{platform.node()}, {processor}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    return f"{arch} at {size} px, {min(batch, MOST_IMAGES)} images, {where}"


def _read() -> dict[str, dict[str, float]]:
    try:
        kept: dict[str, dict[str, float]] = json.loads((cache_folder() / CHOICES_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return kept


def _keep(choices: dict[str, dict[str, float]]) -> None:
    # Where nothing can be kept, it is timed again at the next start.
    with contextlib.suppress(OSError):
        cache_folder().mkdir(parents=True, exist_ok=True)
        write_text_atomically(cache_folder() / CHOICES_FILE, json.dumps(choices, indent=2))


def _name(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")
