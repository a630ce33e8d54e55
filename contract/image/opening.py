"""Bytes in, an image of an accepted format and size out, of which only the header was read."""

import io
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeVar

import pi_heif
from PIL import ExifTags, Image

from contract.image.errors import ImageError, damaged
from contract.image.mending import mend
from contract.image.pixels import SIXTEEN_BIT_MODES, is_invisible, to_eight_bits
from contract.image.signature import EXPECTED, SUPPORTED, png_metadata_is_excessive, sniff_format
from contract.image.spec import FULL_DEPTH

T = TypeVar("T")
Room = Callable[[int], AbstractContextManager[object]]
"""Bytes of memory in; they may be used while the context lasts."""
# Measured at 20 million pixels, and rounded up: Pillow keeps colour in 4 bytes, and decoders have copies of their own.
BYTES_PER_PIXEL = {"PNG": 5.5, "BMP": 5.5, "AVIF": 10, "HEIC": 11, "WEBP": 17}

MAX_PIXELS = 40_000_000
MAX_SIDE = 16_384


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An image file whose header was read; `size` is as it is stored."""

    kind: str
    size: tuple[int, int]
    mode: str
    read_orientation: Callable[[], int]
    load: Callable[[int | None], Image.Image]
    coefficients: int = 0
    """Bytes per pixel that a progressive JPEG is kept in until all of it is decoded."""

    @cached_property
    def orientation(self) -> int:
        """The EXIF orientation still to apply. Of a PNG, which may tell it at its end, all pixels are read for it."""
        return self.read_orientation()

    def memory(self, at_least: int | None) -> int:
        """About how many bytes it takes to load and prepare it, at most; `at_least` as for `load`."""
        pixels = self.size[0] * self.size[1]
        if self.kind == "JPEG":
            decoded = pixels // _reduction(self.size, at_least) ** 2
            return 5 * decoded + (self.coefficients * pixels or pixels // 2)
        return int(BYTES_PER_PIXEL[self.kind] * pixels)


def open_image(data: bytes) -> Opened:
    """Open an image of an accepted format and size; damage that takes no pixel is mended. Raises `ImageError`."""
    kind = sniff_format(data)
    if not data:
        raise ImageError("unreadable_image", "the file is empty; expected an image")
    if kind not in SUPPORTED:
        given = f"this is {kind}" if kind != "unknown" else "this is not a known image format"
        raise ImageError("unsupported_type", f"{given}; expected {EXPECTED}")
    if kind == "PNG" and png_metadata_is_excessive(data):
        raise ImageError("unreadable_image", "this PNG has too much metadata; save it again without its metadata")
    opened = _open_heic(data) if kind == "HEIC" else _open_with_pillow(data, kind)
    width, height = opened.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise _too_large(f"{width} x {height} pixels")
    return opened


def _open_heic(data: bytes) -> Opened:
    """The primary image. libheif turns it upright itself, so its EXIF orientation must not be applied once more."""
    file = guarded(lambda: pi_heif.open_heif(io.BytesIO(data)))
    mode, size = guarded(lambda: (file.mode, file.size))
    mode = "L" if mode in SIXTEEN_BIT_MODES else mode

    def load(_: int | None) -> Image.Image:
        return guarded(lambda: _eight_bits(file))

    return Opened(kind="HEIC", size=size, mode=mode, read_orientation=lambda: 1, load=load)


def _eight_bits(file: pi_heif.HeifFile) -> Image.Image:
    """Colour comes with 8 bits; grey of more bits comes as 16-bit values that are scaled to their full range."""
    image = file.to_pillow()
    image.info = {}
    return to_eight_bits(image, FULL_DEPTH) if image.mode in SIXTEEN_BIT_MODES else image


def _open_with_pillow(data: bytes, kind: str) -> Opened:
    try:
        image = guarded(lambda: _pillow(data, kind))
    except ImageError:
        if (mended := mend(kind, data)) is None:
            raise
        data = mended
        image = guarded(lambda: _pillow(mended, kind))

    def load(at_least: int | None) -> Image.Image:
        try:
            return guarded(lambda: _load(image, at_least))
        except ImageError as error:
            if error.code != "unreadable_image" or (mended := mend(kind, data)) is None:
                raise
            return guarded(lambda: _load(_pillow(mended, kind), at_least))

    return Opened(
        kind=kind,
        size=image.size,
        mode=image.mode,
        read_orientation=partial(read_orientation, image),
        load=load,
        coefficients=_coefficients(image),
    )


def unlimited(_: int) -> AbstractContextManager[object]:
    """Room for everything."""
    return nullcontext()


def _coefficients(image: Image.Image) -> int:
    """Two bytes for each sample: one of grey, three of colour, or half of that where colour is at half the size."""
    if "progressive" not in image.info:
        return 0
    layers: list[tuple[int, int, int, int]] = image.layer  # type: ignore[attr-defined]
    largest = max(across * down for _, across, down, _ in layers)
    return math.ceil(2 * sum(across * down / largest for _, across, down, _ in layers))


def _reduction(size: tuple[int, int], at_least: int | None) -> int:
    """To which part of its sides a JPEG is decoded, as `_load` asks for it: 1, 2, 4 or 8."""
    enough = at_least or min(size)
    return max([scale for scale in (2, 4, 8) if min(size) // scale >= enough], default=1)


def _pillow(data: bytes, kind: str) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=(kind,))


def _load(image: Image.Image, at_least: int | None) -> Image.Image:
    """Decode; a JPEG at 1/2, 1/4 or 1/8 of its size where its shorter side stays `at_least` so many px."""
    if image.format in ("JPEG", "MPO") and at_least is not None:
        image.draft(image.mode, (at_least, at_least))
    image.load()
    if image.format == "BMP" and image.mode == "RGBA" and is_invisible(image):
        return image.convert("RGB")  # programs that know nothing of alpha leave the fourth byte empty
    return image


def guarded(step: Callable[[], T]) -> T:
    """Run one step of the decoder; any failure becomes an `ImageError`."""
    try:
        return step()
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise _too_large("too many pixels") from error
    # Pillow's parsers raise OSError, ValueError, SyntaxError, struct.error, KeyError … on hostile bytes.
    except Exception as error:
        raise damaged() from error


def _too_large(given: str) -> ImageError:
    limit = f"at most {MAX_PIXELS:,} pixels and at most {MAX_SIDE:,} pixels on each side"
    return ImageError("image_too_large", f"the image has {given}; expected {limit}: make it smaller")


def read_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    # Good photos often have broken EXIF data, and image viewers show them without rotation.
    except Exception:
        return 1
