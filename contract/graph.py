"""The inputs and outputs of every exported graph, the same for all engines."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Outputs(NamedTuple):
    """The graph's outputs for N images and C classes."""

    logits: NDArray[np.float32]
    """[N, C]"""
    probabilities: NDArray[np.float32]
    """[N, C], softmax((logits - offsets) / temperature), with the offsets of `Adjustment`; its largest is the answer"""
    activation_map: NDArray[np.float32]
    """[N, C, h, w], how much each position supports each class (Zhou et al. 2016, arXiv 1512.04150)"""

    @classmethod
    def join(cls, parts: "Sequence[Outputs]") -> "Outputs":
        """All parts concatenated along the batch axis, in order."""
        return cls(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def rows(self, start: int, stop: int) -> "Outputs":
        """The outputs for images `start` (included) to `stop` (excluded)."""
        return Outputs(*(values[start:stop] for values in self))


INPUT_NAME = "image"
"""uint8 [N, H, W, 3], RGB, as `contract.preprocess` returns it for each image."""
OUTPUT_NAMES = Outputs._fields
