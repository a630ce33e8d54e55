"""Numbers of any type and range in, the values of image files out: on one scale, so that exposures stay apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.arrays.reading import Arrays
from dataset.errors import DataError

BYTE, WORD = 255, 65535


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Values from `low` to `high` become 0 to 255, or 0 to 65535 if `deep`; `says` tells the user."""

    low: float
    high: float
    deep: bool
    says: str

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """One image, as an image file takes it: uint8 or uint16."""
        most, kind = (WORD, np.uint16) if self.deep else (BYTE, np.uint8)
        share = (image.astype(np.float64) - self.low) / (self.high - self.low)
        return np.round(share * most).astype(kind)


def find_scale(files: Sequence[Arrays]) -> Scale:
    """The scale of all files together. Raises `DataError` where they hold no numbers or no range."""
    low, high = _range(files)
    kinds = {each.images.dtype.kind for each in files}
    if kinds == {"b"}:
        return Scale(low=0, high=1, deep=False, says="true and false become white and black")
    if "f" not in kinds and low >= 0 and 1 < high <= BYTE:
        return Scale(low=0, high=BYTE, deep=False, says="values are kept")
    grey = all(each.images.ndim == 3 for each in files)
    if "f" not in kinds and low >= 0 and 1 < high <= WORD and grey:
        return Scale(low=0, high=WORD, deep=True, says="values are kept, in 16-bit images")
    if low >= 0 and high <= 1:
        return Scale(low=0, high=1, deep=False, says="0 to 1 becomes 0 to 255")
    if low == high:
        raise DataError(f"all values are {low:g}; expected images")
    says = f"{low:g} to {high:g}, the range of all images together, becomes 0 to 255"
    return Scale(low=low, high=high, deep=False, says=says)


def _range(files: Sequence[Arrays]) -> tuple[float, float]:
    """The smallest and the largest value, one image at a time: the files may be larger than the memory."""
    low, high = np.inf, -np.inf
    for each in files:
        for image in each.images:
            if not np.isfinite(image).all():
                raise DataError(f"{each.path} holds values that are no numbers (NaN or infinity); repair it first")
            low, high = min(low, float(image.min())), max(high, float(image.max()))
    return low, high
