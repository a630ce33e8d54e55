"""Features and classes in, ridge regression from the one to the other out: every strength from one decomposition.

In place of logistic regression, which told no better here and takes twenty times as long, so that permutations of the
labels can be answered by the very same model.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Of the mean square of a feature; all features together have a mean square of 1.
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)
USUAL = 0.1


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """Decomposed features [N, F] of the images to learn from, of rank k; knows no labels.

    `basis` is [F, k], `squares` [k] its variances, and `learned` [N, k] the images in it.
    """

    mean: Floats
    scale: Floats
    basis: Floats
    squares: Floats
    learned: Floats

    @classmethod
    def of(cls, features: Floats) -> "Ridge":
        """Decompose the smaller of the two Gram matrices."""
        mean, scale = features.mean(axis=0), (features.std(axis=0) + 1e-9) * np.sqrt(features.shape[1])
        scaled = (features - mean) / scale
        if len(scaled) <= scaled.shape[1]:
            squares, learned = np.linalg.eigh(scaled @ scaled.T)
            return cls(mean=mean, scale=scale, basis=scaled.T @ learned, squares=squares, learned=learned)
        squares, basis = np.linalg.eigh(scaled.T @ scaled)
        return cls(mean=mean, scale=scale, basis=basis, squares=squares, learned=scaled @ basis)

    def rotate(self, features: Floats) -> Floats:
        """Other images [M, F] in the basis, [M, k]."""
        rotated: Floats = (features - self.mean) / self.scale @ self.basis
        return rotated

    def answer(self, rotated: Floats, targets: Ints, classes: int, strength: float) -> Floats:
        """Scores [M, C] of images in the basis, learned from the classes [N] of the images to learn from."""
        scores: Floats = rotated / (self.squares + strength) @ (self.learned.T @ code(targets, classes))
        return scores


def code(targets: Ints, classes: int) -> Floats:
    """What is regressed on, [N, C]: every class weighs alike, so that always answering the largest gains nothing."""
    counts = np.maximum(np.bincount(targets, minlength=classes), 1)
    coded: Floats = (np.eye(classes) - counts / counts.sum())[targets] / np.sqrt(counts)[targets][:, None]
    return coded
