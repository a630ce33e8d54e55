"""Turns class indices and probabilities into predictions with labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TORCHSERVE_TOP_K = 5
"""How many classes TorchServe's image classifier returns, and so every route with answers in its format."""


@dataclass(frozen=True, kw_only=True)
class ClassLabel:
    """A class: its label (the folder's name) and its display name (shown to people, in any language)."""

    label: str
    display_name: str


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One class of an answer, with its probability (0 to 1)."""

    index: int
    label: str
    display_name: str
    probability: float


def top_k(probabilities: NDArray[np.float32], classes: tuple[ClassLabel, ...], k: int) -> list[Prediction]:
    """The `k` most probable classes, best first (all if there are fewer than `k`). `probabilities` is float32 [C].

    Classes with equal probabilities keep their order, so an answer never depends on the sorting algorithm.
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
    """An answer in TorchServe's format: label -> probability, best first."""
    return {prediction.label: prediction.probability for prediction in predictions}
