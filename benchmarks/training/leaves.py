"""A folder in, drawn leaves in it out: as many of each class as a comparison needs."""

from pathlib import Path

import numpy as np

from dataset.sample import LESIONS, draw_leaf
from dataset.split_file import Example


def draw_leaves(folder: Path, counts: tuple[int, ...], seed: int) -> list[Example]:
    """Draw so many leaves of each class into a folder a class."""
    examples = []
    for target, (label, count) in enumerate(zip(sorted(LESIONS), counts, strict=True)):
        rng = np.random.default_rng([seed, target])
        (folder / label).mkdir(parents=True)
        for number in range(count):
            path = folder / label / f"{number:04}.jpg"
            draw_leaf(label, rng).save(path, quality=92)
            examples.append(Example(path=path, target=target, sha256=f"{target}-{number}"))
    return examples
