"""Preprocessing: turns an image file (bytes) into the exact pixels the model sees (uint8 [H, W, 3]).

Evaluation in training, calibration, golden files, the TorchServe handler and our server all call
`preprocess`, so preprocessing can't differ between training and serving.

The rules for each kind of image:
  rotation   the EXIF orientation is applied; if the EXIF data can't be read, the image counts as upright
  grey       repeated in three channels
  16-bit     the high byte is kept (a plain conversion would saturate nearly every pixel)
  alpha      blended with a white background: RGBA, LA, palettes with transparency and PNG's tRNS
  CMYK       converted without its colour profile
  animation  the first frame is used
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from contract.errors import UserError
from contract.signature import SUPPORTED, png_metadata_is_excessive, sniff_format

T = TypeVar("T")
Fit = Literal["crop", "stretch"]

MAX_PIXELS = 40_000_000
MAX_SIDE = 16_384
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_DIRECT_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK"}
_SIXTEEN_BIT_MODES = {"I;16", "I;16L", "I;16B"}
_WHITE = (255, 255, 255, 255)
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


class ImageError(UserError):
    """Bytes that are not an image that can be classified.

    `code` is one of "unreadable_image", "image_too_large", "unsupported_type".
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """How an image becomes the model's input, a square of `size` px.

    With `fit` "crop", the shorter side is resized to `resize` px and the centre is cropped. With "stretch", the whole
    image is resized to the square and its aspect ratio is lost: use it if objects can lie at the border.
    """

    size: int
    resize: int
    fit: Fit = "crop"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def view(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The part of an image that the model sees: left, top, right, bottom, in pixels of the image."""
        if self.fit == "stretch":
            return 0, 0, width, height
        side = min(width, height) * self.size / self.resize
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side

    def view_shares(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The same as shares (0 to 1) of the image's width and height."""
        left, top, right, bottom = self.view(width, height)
        return left / width, top / height, right / width, bottom / height


def preprocess(data: bytes, spec: ImageSpec) -> NDArray[np.uint8]:
    """The pixels of an image file that the model sees: uint8 [size, size, 3], RGB. Raises `ImageError`."""
    return resize(decode_image(data, shorter_side=spec.resize), spec)


def decode_image(data: bytes, shorter_side: int | None = None) -> Image.Image:
    """Decode an image file: upright, mode RGB.

    If `shorter_side` (px) is given, a JPEG more than twice as large is decoded at 1/2, 1/4 or 1/8 of its size, but
    never to less than twice that side. Size limits are checked in the header, before memory is allocated for pixels.
    Raises `ImageError`.
    """
    image = _open(data)
    if image.format in ("JPEG", "MPO") and shorter_side is not None:
        image.draft(image.mode, (2 * shorter_side, 2 * shorter_side))
    _guarded(image.load)
    orientation = _read_orientation(image)
    image = _to_rgb(image)
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def resize(image: Image.Image, spec: ImageSpec) -> NDArray[np.uint8]:
    """The pixels of an RGB image that the model sees: uint8 [size, size, 3].

    Resizing and cropping happen in one resampling step, so a strip of 1 x 16384 px costs no more than a photo.
    """
    square = image.resize((spec.size, spec.size), Image.Resampling.BILINEAR, box=spec.view(*image.size))
    return np.asarray(square)


def upright_size(data: bytes) -> tuple[int, int]:
    """Width and height of an image file when upright, read from its header. Raises `ImageError`."""
    image = _open(data)
    width, height = image.size
    return (height, width) if _read_orientation(image) in _LYING else (width, height)


def _open(data: bytes) -> Image.Image:
    """Open an image of an accepted format and size; only its header is read. Raises `ImageError`."""
    kind = sniff_format(data)
    if not data:
        raise ImageError("unreadable_image", "the file is empty; expected an image")
    if kind not in SUPPORTED:
        given = f"this is {kind}" if kind != "unknown" else "this is not a known image format"
        raise ImageError("unsupported_type", f"{given}; expected JPEG, PNG, WebP or BMP")
    if kind == "PNG" and png_metadata_is_excessive(data):
        raise ImageError("unreadable_image", "this PNG has too much metadata; save it again without its metadata")
    image = _guarded(lambda: Image.open(io.BytesIO(data), formats=(kind,)))
    if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
        raise _too_large(f"{image.width} x {image.height} pixels")
    return image


def _guarded(step: Callable[[], T]) -> T:
    """Run one step of the decoder; any failure becomes an `ImageError`."""
    try:
        return step()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise _too_large("too many pixels") from error
    # Pillow's parsers raise OSError, ValueError, SyntaxError, struct.error, KeyError … on hostile bytes.
    except Exception as error:
        raise ImageError("unreadable_image", "the image is damaged or truncated; expected a complete file") from error


def _too_large(given: str) -> ImageError:
    limit = f"at most {MAX_PIXELS:,} pixels and at most {MAX_SIDE:,} pixels on each side"
    return ImageError("image_too_large", f"the image has {given}; expected {limit}: make it smaller")


def _read_orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    # Good photos often have broken EXIF data, and image viewers show them without rotation.
    except Exception:
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BIT_MODES:
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode not in _DIRECT_MODES:
        raise ImageError(
            "unsupported_type", f"the image's pixel mode is {image.mode}; expected 8-bit or 16-bit grey or colour"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image)
    return image.convert("RGB")
