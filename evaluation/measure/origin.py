"""What is known of a bundle's training, where it still lies in its run's folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from contract import Adjustment
from dataset.seen import images_seen
from dataset.split_file import Example
from evaluation.answers import Answers

VALIDATION_FILE = "validation.npz"


def trained_on(bundle: Path, examples: Sequence[Example]) -> list[str]:
    """A warning where some of these images were trained on, or chose the epoch, of this run or of its weights."""
    known = images_seen(bundle.parent)
    seen = [known.get(example.sha256) for example in examples]
    trained, chose = seen.count("train"), seen.count("val")
    words = [
        f"{trained} of these {len(examples)} images were trained on, so the figures are too high" if trained else "",
        f"{chose} of these {len(examples)} images chose the epoch, so the figures are a little too high"
        if chose
        else "",
    ]
    return [sentence for sentence in words if sentence]


def validation_answers(bundle: Path, adjustment: Adjustment) -> Answers | None:
    """The answers on the validation images that training recorded, as served; None where they are not there."""
    path = bundle.parent / VALIDATION_FILE
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as recorded:
        return Answers(logits=recorded["logits"], targets=recorded["targets"]).adjusted(adjustment)
