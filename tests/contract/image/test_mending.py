"""Files that people really sent: damaged where no pixel is, or damaged for good."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from contract import ImageError, ImageSpec, decode_image, preprocess
from tests.contract.image.test_decoding import chunk
from tests.pictures import draw, encode

SPEC = ImageSpec(size=32, resize=33)
PICTURE = draw((203, 157), (120, 90, 60), 0)
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "4:4:4": {"subsampling": 0},
    "best": {"quality": 100, "optimize": True},
}


def pixels(data: bytes) -> bytes:
    return decode_image(data).tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_lacks_only_its_end_mark_is_taken(kind: str, mode: str) -> None:
    data = encode(PICTURE.convert(mode), **KINDS[kind])
    assert data.endswith(b"\xff\xd9")
    assert pixels(data[:-2]) == pixels(data)
    assert pixels(data[:-1]) == pixels(data)
    assert np.array_equal(preprocess(data[:-2], SPEC), preprocess(data, SPEC))


@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_that_lacks_pixels_is_refused_wherever_it_is_cut(kind: str) -> None:
    data = encode(PICTURE, **KINDS[kind])
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    cuts = {*range(30, len(data) - 12, len(data) // 40), *(place for place in scans[1:]), len(data) - 12}
    for cut in sorted(cuts):
        with pytest.raises(ImageError, match="damaged or truncated"):
            decode_image(data[:cut])


@pytest.mark.parametrize("options", [{"restart_marker_blocks": 7}, {"restart_marker_rows": 1}])
def test_a_jpeg_that_is_cut_before_a_restart_mark_is_refused(options: dict[str, Any]) -> None:
    data = encode(PICTURE, **options)
    marks = [place for place in range(len(data) - 1) if data[place] == 0xFF and 0xD0 <= data[place + 1] <= 0xD7]
    assert len(marks) > 5
    for mark in marks:
        with pytest.raises(ImageError, match="damaged or truncated"):
            decode_image(data[:mark])


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.95])
def test_a_download_that_was_never_finished_is_refused(share: float) -> None:
    data = encode(PICTURE)
    there = int(len(data) * share)
    with pytest.raises(ImageError, match="damaged or truncated"):
        decode_image(data[:there] + bytes(len(data) - there))


def test_a_large_jpeg_without_end_mark_is_taken_at_a_smaller_scale() -> None:
    data = encode(draw((900, 700), (120, 90, 60), 1))
    assert np.array_equal(preprocess(data[:-2], SPEC), preprocess(data, SPEC))


def broken(kind: bytes, content: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return chunk(kind, content)[:-4] + b"\0\0\0\1"


def with_chunk(data: bytes, added: bytes, *, before: bytes = b"IDAT") -> bytes:
    place = data.index(before) - 4
    return data[:place] + added + data[place:]


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"pHYs", b"tIME", b"gAMA", b"iCCP"])
@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
def test_a_png_with_a_wrong_checksum_in_its_metadata_is_taken(kind: bytes, before: bytes) -> None:
    data = encode(PICTURE, "PNG")
    assert pixels(with_chunk(data, broken(kind, b"Comment\0x"), before=before)) == pixels(data)


def test_a_png_with_a_wrong_checksum_in_its_header_is_refused() -> None:
    data = bytearray(encode(PICTURE, "PNG"))
    place = data.index(b"IHDR")
    length = struct.unpack(">I", data[place - 4 : place])[0]
    data[place + 4 + length] ^= 0xFF
    with pytest.raises(ImageError, match="damaged or truncated"):
        decode_image(bytes(data))


def test_a_png_whose_transparency_or_palette_is_damaged_is_refused() -> None:
    grey = encode(Image.new("L", (8, 8), 7), "PNG")
    with pytest.raises(ImageError, match="damaged or truncated"):
        decode_image(with_chunk(grey, broken(b"tRNS", b"\0\7")))
    palette = bytearray(encode(PICTURE.quantize(16), "PNG"))
    palette[palette.index(b"PLTE") + 5] ^= 0xFF
    with pytest.raises(ImageError, match="damaged or truncated"):
        decode_image(bytes(palette))


def bitmap(alpha: int, *, header: int = 108) -> bytes:
    """A 32-bit BMP of red pixels with a bit field for alpha, as screen grabbers and some cameras write it."""
    masks = struct.pack("<IIII", 0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
    body = struct.pack("<IiiHHIIiiII", header, 4, 4, 1, 32, 3, 64, 2835, 2835, 0, 0) + masks
    rows = bytes([20, 30, 200, alpha]) * 16
    offset = 14 + header
    return struct.pack("<2sIHHI", b"BM", offset + 64, 0, 0, offset) + body.ljust(header, b"\0") + rows


@pytest.mark.parametrize(("alpha", "colour"), [(0, (200, 30, 20)), (255, (200, 30, 20)), (128, (227, 142, 137))])
@pytest.mark.parametrize("header", [108, 124])
def test_a_bitmap_whose_alpha_is_empty_is_opaque(alpha: int, colour: tuple[int, int, int], header: int) -> None:
    assert decode_image(bitmap(alpha, header=header)).getpixel((0, 0)) == colour


def test_reported_pictures_look_as_they_did(shared_data: Path) -> None:
    pictures = shared_data / "reports" / "pictures"
    leaf = pixels((pictures / "leaf.png").read_bytes())
    assert pixels((pictures / "bad_crc_text.png").read_bytes()) == leaf
    assert pixels((pictures / "bmp32_v4_alpha0.bmp").read_bytes()) == leaf
    assert pixels((pictures / "no_eoi.jpg").read_bytes()) == pixels((pictures / "leaf.jpg").read_bytes())
