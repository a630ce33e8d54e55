"""A split data set in, what can be answered without looking at the object out: from border, colour, size and file.

A probe in the manner of Bissoto et al. 2019 (arXiv 1904.08818), who classified skin lesions whose lesions were blacked
out: extremely randomised trees (Geurts et al. 2006) learn from the training images and answer the held-out ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from dataset.data_set import DataSet
from dataset.pictures.cache import THUMBNAIL_SIDE, Picture
from dataset.split_file import Example

RING = 3  # px of a thumbnail of 32 px: the outer 34 % of its area
TREES = 300
# Each node of a tree holds a number for each class: so many numbers at once are about 400 MB.
MOST_NUMBERS = 50_000_000
# Nothing can be learned about a class from fewer training images.
FEWEST_OF_A_CLASS = 4
# More images than this make the answers no different and take minutes.
MOST_IMAGES = 5000

Table = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What one shortcut alone answered: class indices `answers` and `targets`, int64 [N]; `clusters` int64 [N].

    `name` says what the probe saw, such as "the border of the picture".
    """

    name: str
    answers: NDArray[np.int64]
    targets: NDArray[np.int64]
    clusters: NDArray[np.int64]


def probe_shortcuts(data: DataSet) -> list[Probe]:
    """Each shortcut's answers to the validation and test images that share no object with another split."""
    training = _at_most(data.splits["train"])
    held_out = [
        example
        for split in ("val", "test")
        if split in data.splits
        for example, touched in zip(data.splits[split], data.touched(split), strict=True)
        if not touched
    ]
    if not held_out or len(training) < FEWEST_OF_A_CLASS * len(data.classes):
        return []
    return [_probe(name, describe, data, training, held_out) for name, describe in SHORTCUTS.items()]


def _at_most(examples: Sequence[Example]) -> Sequence[Example]:
    step = -(-len(examples) // MOST_IMAGES)
    return sorted(examples, key=lambda example: example.sha256)[::step]


def _probe(
    name: str,
    describe: Callable[[Picture], Table],
    data: DataSet,
    training: Sequence[Example],
    held_out: Sequence[Example],
) -> Probe:
    def table(examples: Sequence[Example]) -> Table:
        return np.stack([describe(data.pictures[example.path]) for example in examples])

    most = MOST_NUMBERS // (2 * len(training) * len(data.classes))
    trees = ExtraTreesClassifier(max(5, min(TREES, most)), random_state=0, n_jobs=-1)
    trees.fit(table(training), [example.target for example in training])
    return Probe(
        name=name,
        answers=trees.predict(table(held_out)).astype(np.int64),
        targets=np.array([example.target for example in held_out]),
        clusters=np.array([example.cluster for example in held_out]),
    )


def _border(picture: Picture) -> Table:
    """The outer ring of the thumbnail."""
    ring = np.ones((THUMBNAIL_SIDE, THUMBNAIL_SIDE), bool)
    ring[RING:-RING, RING:-RING] = False
    return picture.thumbnail[ring].ravel().astype(np.float64)


def _colour(picture: Picture) -> Table:
    mean: Table = picture.thumbnail.mean(axis=(0, 1))
    return mean


def _file(picture: Picture) -> Table:
    """Size in pixels and bytes, their ratios, and the kind of pixels."""
    pixels = picture.width * picture.height
    kind = sum(ord(letter) << index for index, letter in enumerate(picture.mode))
    size = picture.bytes
    return np.array([picture.width, picture.height, picture.width / picture.height, pixels, size, size / pixels, kind])


SHORTCUTS: dict[str, Callable[[Picture], Table]] = {
    "the border of the image": _border,
    "the mean colour": _colour,
    "the size of image and file": _file,
}
