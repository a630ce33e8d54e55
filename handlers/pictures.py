"""An image file in, what the model sees of it out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract import ImageError, ImageSpec, decode_image
from contract.image import resize


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture ready for the model: uint8 [H, W, 3], and where in the original that view lies.

    `view` is left, top, right, bottom, as shares of the upright picture's width and height.
    """

    pixels: NDArray[np.uint8]
    view: tuple[float, float, float, float]


def read_picture(data: bytes, spec: ImageSpec) -> Picture | ImageError:
    """`contract.preprocess` for a batch: a picture that can't be read becomes its error, and spoils no other."""
    try:
        image = decode_image(data, shorter_side=spec.resize)
    except ImageError as error:
        return error
    return Picture(pixels=resize(image, spec), view=spec.view_shares(*image.size))
