"""What runs a model in a worker."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract.graph import Outputs


@dataclass(frozen=True, kw_only=True)
class Engine:
    """`run` takes uint8 [N, H, W, 3] pixels; `prove` replays the golden files and returns the largest difference as a
    share of the tolerance, or raises `GoldenError`.
    """

    name: str
    run: Callable[[NDArray[np.uint8]], Outputs]
    prove: Callable[[], float]
