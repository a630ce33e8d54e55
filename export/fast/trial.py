"""Modes and images in, each mode's probabilities beside fp32's out; every image is decoded once for all."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import get_console
from rich.progress import track

from contract import ImageError, ImageSpec, UserError, preprocess
from contract.manifest import sha256_of
from dataset.clusters import cluster_numbers
from dataset.split_file import Example
from evaluation.gate.gate import Pairs
from runtime import Mode, Session
from runtime.modes import REFERENCE

BATCH = 8

Pixels = NDArray[np.uint8]
Sessions = Mapping[Mode, Session]


def decode(examples: Sequence[Example], spec: ImageSpec, what: str) -> Iterator[Pixels]:
    """The images in batches, uint8 [<= 8, size, size, 3], decoded on all cores, with a bar. Raises `UserError`."""
    with ThreadPoolExecutor() as pool:
        starts = range(0, len(examples), BATCH)
        for start in track(starts, what, transient=True, disable=not get_console().is_terminal):
            part = examples[start : start + BATCH]
            yield np.stack(list(pool.map(lambda example: _read(example, spec), part)))


def _read(example: Example, spec: ImageSpec) -> Pixels:
    try:
        if example.sha256 and sha256_of(example.path) != example.sha256:
            raise UserError(f"{example.path} has changed since training; restore it, or train again")
        return preprocess(example.path.read_bytes(), spec)
    except (OSError, ImageError) as error:
        raise UserError(f"{example.path} can't be read ({error}); restore it, or train again without it") from error


def compare(sessions: Sessions, examples: Sequence[Example], spec: ImageSpec) -> dict[Mode, Pairs]:
    """Each mode of `sessions` but fp32, on the same images, beside fp32. Raises `UserError`."""
    found: dict[Mode, list[NDArray[np.float32]]] = {mode: [] for mode in sessions}
    for pixels in decode(examples, spec, "Comparing"):
        for mode, session in sessions.items():
            found[mode].append(session.run(pixels).probabilities)
    whole = {mode: np.concatenate(parts) for mode, parts in found.items()}
    targets = np.array([example.target for example in examples], dtype=np.int64)
    return {
        mode: Pairs(reference=whole[REFERENCE], fast=probabilities, targets=targets, clusters=cluster_numbers(examples))
        for mode, probabilities in whole.items()
        if mode != REFERENCE
    }


def open_sessions(folder: Path, modes: Sequence[Mode]) -> dict[Mode, Session]:
    """Sessions of fp32 and of `modes` on the graphs in `folder`. Raises `ProviderError`."""
    return {mode: Session((folder / mode.file).read_bytes(), mode) for mode in (REFERENCE, *modes)}
