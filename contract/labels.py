"""Class indices and probabilities in, named answers out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ClassLabel:
    """A class: its folder's name, and the name shown to people, in any language."""

    label: str
    display_name: str


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One line of an answer."""

    index: int
    label: str
    display_name: str
    probability: float


def top_k(probabilities: NDArray[np.float32], classes: tuple[ClassLabel, ...], k: int) -> list[Prediction]:
    """The `k` most probable classes (all, where there are fewer), best first; `probabilities` is float32 [C].

    Equal probabilities keep the order of the classes, so an answer never depends on the sorting algorithm.
    """
    best = np.argsort(-probabilities, kind="stable")[:k]
    return [
        Prediction(
            index=int(index),
            label=classes[index].label,
            display_name=classes[index].display_name,
            probability=float(probabilities[index]),
        )
        for index in best
    ]
