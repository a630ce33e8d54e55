"""An image file in, its pixels out: upright, RGB, and as the model sees them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

from contract.image.opening import Room, guarded, open_image, unlimited
from contract.image.pixels import SIXTEEN_BIT_MODES, largest_value, rgb_strips, to_rgb, upright
from contract.image.spec import FULL_DEPTH, ImageSpec

# From so many pixels on, an image is resized strip by strip.
LARGE = 4_000_000


def preprocess(data: bytes, spec: ImageSpec, room: Room = unlimited) -> NDArray[np.uint8]:
    """The pixels of an image file that the model sees: uint8 [size, size, 3], RGB. Raises `ImageError`.

    What it unfolds to is held only while there is `room`.
    """
    opened = open_image(data)
    with room(opened.memory(spec.decoded_side)):
        image = opened.load(spec.decoded_side)
        prepare = _resize_whole if image.width * image.height < LARGE else _resize_in_strips
        return guarded(lambda: prepare(image, spec, opened.orientation))


def _resize_whole(image: Image.Image, spec: ImageSpec, orientation: int) -> NDArray[np.uint8]:
    return resize(to_rgb(image, spec.depth, orientation), spec)


def decode_image(data: bytes, shorter_side: int | None = None, depth: int = FULL_DEPTH) -> Image.Image:
    """Decode an image file: upright, mode RGB. `depth` is that of `ImageSpec`.

    If `shorter_side` (px) is given, a JPEG more than twice as large is decoded at 1/2, 1/4 or 1/8 of its size, but
    never to less than twice that side. Size limits are checked in the header, before memory is allocated for pixels.
    Raises `ImageError`.
    """
    return _decode(data, 2 * shorter_side if shorter_side else None, depth)


def decode_for(data: bytes, spec: ImageSpec) -> Image.Image:
    """The whole image, upright and RGB, as `resize` takes it for this model. Raises `ImageError`."""
    return _decode(data, spec.decoded_side, spec.depth)


def _decode(data: bytes, at_least: int | None, depth: int) -> Image.Image:
    opened = open_image(data)
    image = opened.load(at_least)
    return guarded(lambda: to_rgb(image, depth, opened.orientation))


def decode_reduced(data: bytes, longest_side: int, depth: int = FULL_DEPTH, room: Room = unlimited) -> Image.Image:
    """As `decode_image`; a large image at a whole part of its sides, so that it is not in memory twice.

    Its longest side is not less than twice `longest_side` then. Raises `ImageError`.
    """
    opened = open_image(data)
    at_least = 2 * max(1, longest_side * min(opened.size) // max(opened.size))
    with room(opened.memory(at_least)):
        image = opened.load(at_least)
        factor = max(image.size) // (2 * longest_side)
        if factor < 2 or image.width * image.height < LARGE:
            return guarded(lambda: to_rgb(image, depth, opened.orientation))
        return guarded(lambda: _reduce_in_strips(image, depth, opened.orientation, factor))


def _reduce_in_strips(image: Image.Image, depth: int, orientation: int, factor: int) -> Image.Image:
    width, height = upright(image.size, orientation)
    reduced = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top, strip in rgb_strips(image, depth, orientation, whole=factor):
        reduced.paste(strip.reduce(factor), (0, top // factor))
    return reduced


def resize(image: Image.Image, spec: ImageSpec) -> NDArray[np.uint8]:
    """The pixels of an RGB image that the model sees: uint8 [size, size, 3].

    Resizing and cropping happen in one resampling step, so a strip of 1 x 16384 px costs no more than a photo.
    """
    left, top, right, bottom = spec.content(*image.size)
    seen = image.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=_source(spec, *image.size))
    return _padded(seen, spec, (left, top))


def _source(spec: ImageSpec, width: int, height: int) -> tuple[float, float, float, float]:
    """The part of the image that is resized: what the model sees, without the padding."""
    return (0, 0, width, height) if spec.fit == "pad" else spec.view(width, height)


def _padded(seen: Image.Image, spec: ImageSpec, corner: tuple[int, int]) -> NDArray[np.uint8]:
    """The square; what the image leaves of it gets the image's mean colour, which keeps its mean brightness."""
    if seen.size == (spec.size, spec.size):
        return np.asarray(seen)
    red, green, blue = (round(mean) for mean in ImageStat.Stat(seen).mean)
    square = Image.new("RGB", (spec.size, spec.size), (red, green, blue))
    square.paste(seen, corner)
    return np.asarray(square)


def _resize_in_strips(image: Image.Image, spec: ImageSpec, orientation: int) -> NDArray[np.uint8]:
    """What `to_rgb` and `resize` give, to the bit, without the whole image in RGB.

    Pillow, too, resamples the rows first, to 8 bits, and then the columns of the result.
    """
    width, height = upright(image.size, orientation)
    left, top, right, bottom = spec.content(width, height)
    across, down = right - left, bottom - top
    first_column, first_row, last_column, last_row = _source(spec, width, height)
    rows = Image.new("RGB", (across, height))
    for first, strip in rgb_strips(image, spec.depth, orientation):
        part = (first_column, 0, last_column, strip.height)
        rows.paste(strip.resize((across, strip.height), Image.Resampling.BILINEAR, box=part), (0, first))
    seen = rows.resize((across, down), Image.Resampling.BILINEAR, box=(0, first_row, across, last_row))
    return _padded(seen, spec, (left, top))


def upright_size(data: bytes, room: Room = unlimited) -> tuple[int, int]:
    """Width and height of an image file when upright. Raises `ImageError`."""
    opened = open_image(data)
    with room(opened.memory(None) if opened.kind == "PNG" else 0):
        return upright(opened.size, opened.orientation)


def file_mode(data: bytes) -> str:
    """The kind of pixels that an image file holds, in Pillow's words, read from its header. Raises `ImageError`."""
    return open_image(data).mode


def bits_used(data: bytes) -> int | None:
    """How many bits the values of a 16-bit grey file use, 8 to 16; None for every other file. Raises `ImageError`."""
    opened = open_image(data)
    if opened.mode not in SIXTEEN_BIT_MODES:
        return None
    return max(8, largest_value(opened.load(None)).bit_length())
