"""Reads the validation split that training recorded: the images, their labels, and the trained model's logits."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract import Adjustment, ClassLabel, ImageSpec, UserError, preprocess
from contract.manifest import sha256_of
from dataset.split_file import Example, read_split_csv
from training.run_files import PARITY_FILE, SPLIT_FILE, VALIDATION_FILE

# How the images of each split are called in the parity table.
NAMES = {"val": "validation", "test": "test", "train": "training"}


@dataclass(frozen=True, kw_only=True)
class Validation:
    """`logits` float32 [N, C] and `targets` int64 [N] as training recorded them for `examples`; `what` names these."""

    examples: list[Example]
    labels: list[str]
    logits: NDArray[np.float32]
    targets: NDArray[np.int64]
    what: str = "validation"
    adjustment: Adjustment = field(default_factory=Adjustment)

    def decisive(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits [N, C] whose largest is answered: with the adjustment for rare classes taken off."""
        result: NDArray[np.float32] = logits - self.adjustment.offsets
        return result

    def batches(self, spec: ImageSpec, size: int) -> Iterator[NDArray[np.uint8]]:
        """The preprocessed images in batches: uint8 [<= size, H, W, 3]."""
        for start in range(0, len(self.examples), size):
            yield prepare(self.examples[start : start + size], spec)


def prepare(examples: list[Example], spec: ImageSpec) -> NDArray[np.uint8]:
    """Decode and resize images with `contract.preprocess`: uint8 [N, H, W, 3]."""
    return np.stack([preprocess(example.path.read_bytes(), spec) for example in examples])


def read_validation(folder: Path, classes: tuple[ClassLabel, ...], split: str = "val") -> Validation:
    """The images of the run in `folder` whose logits export must reproduce: those of one split.

    A cross-validated run has no validation split. Raises `UserError` if images are missing or changed.
    """
    labels = [entry.label for entry in classes]
    examples = read_split_csv(folder / SPLIT_FILE, labels, split)
    changed = [example.path for example in examples if not _is_unchanged(example)]
    if changed:
        raise UserError(
            f"{len(changed)} images are missing or have changed since training, the first is {changed[0]}; "
            "export needs them to check parity: restore them, or train again"
        )
    with np.load(folder / (VALIDATION_FILE if split == "val" else PARITY_FILE), allow_pickle=False) as recorded:
        return Validation(
            examples=examples,
            labels=labels,
            logits=recorded["logits"],
            targets=recorded["targets"],
            what=NAMES[split],
        )


def _is_unchanged(example: Example) -> bool:
    return example.path.is_file() and sha256_of(example.path) == example.sha256
