"""A picture and an activation map in, the picture with a heat map of where the model looked out."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract.image.spec import ImageSpec

HEAT_OPACITY = 0.45


def overlay(picture: Image.Image, activation: NDArray[np.float32], spec: ImageSpec) -> Image.Image:
    """`picture` (RGB) with the heat map of `activation`, float32 [h, w], over the part of it that the model saw."""
    left, top, right, bottom = (round(edge) for edge in spec.view(*picture.size))
    box = (left, top, max(left + 1, right), max(top + 1, bottom))
    seen = picture.crop(box)
    heat = np.clip(activation, 0, None)
    heat = heat / max(float(heat.max()), 1e-6)
    grey = Image.fromarray((heat * 255).astype(np.uint8)).resize(seen.size, Image.Resampling.BICUBIC)
    level = np.asarray(grey)[..., None] / 255.0
    plain = np.asarray(seen, np.float64)
    blended = plain + level * HEAT_OPACITY * (_colours(level) - plain)
    drawn = picture.copy()
    drawn.paste(Image.fromarray(blended.astype(np.uint8)), box)
    return drawn


def _colours(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blue through green and yellow to red, float [..., 3], for levels 0 to 1."""
    return np.concatenate([np.clip(255 * (1.5 - np.abs(3.5 * level - peak)), 0, 255) for peak in (3, 2, 1)], axis=-1)
