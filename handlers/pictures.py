"""Decodes an image file to the pixels that the model sees."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract import ImageError, ImageSpec
from contract.image import decode_for, resize


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image ready for the model: `pixels` is uint8 [H, W, 3], `view` is the part of the original that they show.

    `view` is left, top, right, bottom, as shares of the upright image's width and height.
    """

    pixels: NDArray[np.uint8]
    view: tuple[float, float, float, float]


def read_picture(data: bytes, spec: ImageSpec) -> Picture | ImageError:
    """Preprocess one image of a batch. An `ImageError` is returned, not raised, so that the other images still run."""
    try:
        image = decode_for(data, spec)
    except ImageError as error:
        return error
    return Picture(pixels=resize(image, spec), view=spec.view_shares(*image.size))
