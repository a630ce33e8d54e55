"""What every exported graph takes and gives, whichever engine runs it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Outputs(NamedTuple):
    """What the graph answers for N images and C classes."""

    logits: NDArray[np.float32]
    """[N, C]"""
    probabilities: NDArray[np.float32]
    """[N, C], softmax(logits / temperature)"""
    activation_map: NDArray[np.float32]
    """[N, C, h, w], how much each place speaks for each class (Zhou et al. 2016, arXiv 1512.04150)"""

    @classmethod
    def join(cls, parts: "Sequence[Outputs]") -> "Outputs":
        """The answers of all, in their order."""
        return cls(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def rows(self, start: int, stop: int) -> "Outputs":
        """The answers for images `start` to `stop`."""
        return Outputs(*(values[start:stop] for values in self))


INPUT_NAME = "image"
"""uint8 [N, H, W, 3], RGB, from `contract.preprocess`."""
OUTPUT_NAMES = Outputs._fields
