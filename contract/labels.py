"""Class indices and probabilities in, named answers out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TORCHSERVE_TOP_K = 5
"""How many classes TorchServe's image classifier names, and so every route of that form."""


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


def by_label(predictions: Sequence[Prediction]) -> dict[str, float]:
    """TorchServe's form of an answer: label -> probability, best first."""
    return {prediction.label: prediction.probability for prediction in predictions}
