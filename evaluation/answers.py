"""A model's answers to a set of images, beside the truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Answers:
    """A model's answers on some images: `logits` float32 [N, C], `targets` int64 [N]."""

    logits: NDArray[np.float32]
    targets: NDArray[np.int64]
