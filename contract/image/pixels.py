"""A decoded image of any mode in, RGB out; in strips, so that a large image need not be in memory twice."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from contract.image.errors import ImageError
from contract.image.spec import FULL_DEPTH

SIXTEEN_BIT_MODES = {"I;16", "I;16L", "I;16B"}
DIRECT_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK"}
_WHITE = (255, 255, 255, 255)
_STRIP = 1 << 20  # pixels

Box = tuple[int, int, int, int]


def to_rgb(image: Image.Image, depth: int = FULL_DEPTH) -> Image.Image:
    """The image in mode RGB. Raises `ImageError` for other modes than photographs have."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    result = Image.new("RGB", image.size)
    for box, strip in rgb_strips(image, depth):
        result.paste(strip, box)
    return result


def rgb_strips(image: Image.Image, depth: int) -> Iterator[tuple[Box, Image.Image]]:
    """The image in mode RGB, in strips from top to bottom, with the place of each. Raises `ImageError`."""
    if image.mode not in DIRECT_MODES | SIXTEEN_BIT_MODES:
        raise ImageError(
            "unsupported_type", f"the image's pixel mode is {image.mode}; expected 8-bit or 16-bit grey or colour"
        )
    opaque = not image.has_transparency_data
    for box in _boxes(image):
        yield box, _as_rgb(image.crop(box), depth, opaque=opaque)


def largest_value(image: Image.Image) -> int:
    """The largest value of a 16-bit image."""
    return max(int(np.asarray(image.crop(box)).max()) for box in _boxes(image))


def to_eight_bits(image: Image.Image, depth: int) -> Image.Image:
    """A 16-bit grey image, of whose values `depth` bits are used, as mode L."""
    return Image.fromarray(np.minimum(np.asarray(image) >> (depth - 8), 255).astype(np.uint8))


def _boxes(image: Image.Image) -> Iterator[Box]:
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        yield 0, top, image.width, min(top + rows, image.height)


def is_invisible(image: Image.Image) -> bool:
    """Whether the alpha of an RGBA image is 0 everywhere."""
    return all(not image.crop(box).getchannel("A").getbbox() for box in _boxes(image))


def _as_rgb(strip: Image.Image, depth: int, *, opaque: bool) -> Image.Image:
    if strip.mode in SIXTEEN_BIT_MODES:
        strip = to_eight_bits(strip, depth)
    if not opaque:
        strip = strip.convert("RGBA")
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, _WHITE), strip)
    return strip.convert("RGB")
