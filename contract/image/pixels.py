"""A decoded image of any mode in, upright RGB out; in strips, so that a large image need not be in memory twice."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from contract.image.errors import ImageError
from contract.image.spec import FULL_DEPTH

SIXTEEN_BIT_MODES = {"I;16", "I;16L", "I;16B"}
DIRECT_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK"}
_WHITE = (255, 255, 255, 255)
_STRIP = 1 << 20  # pixels

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = {5, 6, 7, 8}
_FROM_THE_END = {3, 4, 7, 8}

Box = tuple[int, int, int, int]


def to_rgb(image: Image.Image, depth: int = FULL_DEPTH, orientation: int = 1) -> Image.Image:
    """The image upright and in mode RGB. Raises `ImageError` for other modes than photographs have."""
    if image.mode == "RGB" and not image.has_transparency_data and orientation not in _UPRIGHT:
        return image
    result = Image.new("RGB", upright(image.size, orientation))
    for top, strip in rgb_strips(image, depth, orientation):
        result.paste(strip, (0, top))
    return result


def upright(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height of an image once its EXIF orientation is applied."""
    return (size[1], size[0]) if orientation in _LYING else size


def rgb_strips(
    image: Image.Image, depth: int, orientation: int = 1, whole: int = 1
) -> Iterator[tuple[int, Image.Image]]:
    """The upright image in mode RGB, in strips of rows, with the first row of each. Raises `ImageError`.

    The rows of each but the last are a multiple of `whole`.
    """
    if image.mode not in DIRECT_MODES | SIXTEEN_BIT_MODES:
        raise ImageError(
            "unsupported_type", f"the image's pixel mode is {image.mode}; expected 8-bit or 16-bit grey or colour"
        )
    opaque = not image.has_transparency_data
    width, height = upright(image.size, orientation)
    rows = max(1, _STRIP // width // whole) * whole
    for top in range(0, height, rows):
        box = _stored(image.size, top, min(top + rows, height), orientation)
        strip = _as_rgb(image.crop(box), depth, opaque=opaque)
        yield top, strip.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else strip


def _stored(size: tuple[int, int], top: int, bottom: int, orientation: int) -> Box:
    """Where these rows of the upright image are stored: rows or columns, from one end or the other."""
    width, height = size
    if orientation in _LYING:
        return (width - bottom, 0, width - top, height) if orientation in _FROM_THE_END else (top, 0, bottom, height)
    return (0, height - bottom, width, height - top) if orientation in _FROM_THE_END else (0, top, width, bottom)


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
