"""A loaded bundle and images in, its answers beside the truth out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from rich import get_console
from rich.progress import track

from contract import preprocess
from dataset.split_file import Example
from evaluation.answers import Answers
from runtime import Model

BATCH = 8


def answer(model: Model, examples: Sequence[Example]) -> Answers:
    """The model's answers, with a progress bar; files are decoded on all cores. Raises `ImageError`, `OSError`."""
    logits = []
    starts = range(0, len(examples), BATCH)
    with ThreadPoolExecutor() as pool:
        for start in track(starts, "Measuring", transient=True, disable=not get_console().is_terminal):
            paths = [example.path for example in examples[start : start + BATCH]]
            pixels = pool.map(lambda path: preprocess(path.read_bytes(), model.manifest.image), paths)
            logits.append(model.run(np.stack(list(pixels))).logits)
    raw = Answers(
        logits=np.concatenate(logits),
        targets=np.array([example.target for example in examples]),
        clusters=np.array([-1 if example.cluster is None else example.cluster for example in examples]),
    )
    return raw.adjusted(model.manifest.adjustment)
