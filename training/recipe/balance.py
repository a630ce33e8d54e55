"""The training images of each class in, how often each is drawn in an epoch out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def draw_epoch(targets: Sequence[int], rng: np.random.Generator, *, balanced: bool) -> NDArray[np.int64]:
    """The images of one epoch in random order, int64 [N], each once; balanced, each class equally often.

    Then the images of a class take turns: each is drawn as often as the others of its class, give or take once.
    """
    if not balanced:
        return rng.permutation(len(targets))
    classes = [np.flatnonzero(np.array(targets) == target) for target in sorted(set(targets))]
    order = rng.permutation(len(classes))  # the classes that get one image more, where N can't be divided
    drawn = []
    for place, number in enumerate(order):
        quota = len(targets) // len(classes) + (place < len(targets) % len(classes))
        drawn.append(_take_turns(classes[number], quota, rng))
    result: NDArray[np.int64] = rng.permutation(np.concatenate(drawn))
    return result


def _take_turns(images: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    rounds = -(-count // len(images))
    return np.concatenate([rng.permutation(images) for _ in range(rounds)])[:count]
