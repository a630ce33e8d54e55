"""Pictures of every kind that people really send, and what is no picture at all: name -> the bytes of a file."""

import numpy as np
from PIL import Image

from tests.pictures import TINTS, draw, encode

RED, BLUE = draw((64, 48), TINTS["red"], seed=7), draw((64, 48), TINTS["blue"], seed=8)
RAMP = np.linspace(0, 65535, 64 * 48).reshape(48, 64)


def _rotated(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(BLUE, exif=exif)


ODD_PICTURES: dict[str, bytes] = {
    "grey": encode(RED.convert("L")),
    "grey 16-bit": encode(Image.fromarray(RAMP.astype(np.uint16)), "PNG"),
    "grey with alpha": encode(RED.convert("LA"), "PNG"),
    "one bit": encode(RED.convert("1"), "PNG"),
    "cmyk": encode(RED.convert("CMYK")),
    "palette": encode(BLUE.convert("P"), "PNG"),
    "palette with transparency": encode(BLUE.convert("P"), "PNG", transparency=0),
    "rgba": encode(Image.merge("RGBA", (*RED.split(), RED.convert("L"))), "PNG"),
    **{f"exif {orientation}": _rotated(orientation) for orientation in (2, 3, 6, 8)},
    "1 px": encode(Image.new("RGB", (1, 1), (200, 50, 40)), "PNG"),
    "12 megapixels": encode(draw((4000, 3000), TINTS["grün"], seed=9)),
    "strip": encode(draw((900, 3), TINTS["red"], seed=10), "PNG"),
    "progressive": encode(RED, progressive=True),
    "webp": encode(BLUE, "WEBP"),
    "bmp": encode(RED, "BMP"),
}

NO_PICTURES: dict[str, bytes] = {
    "empty": b"",
    "cut short": encode(RED)[:-200],
    "rubbish": b"\x00\x01rubbish",
    "gif": encode(RED.convert("P"), "GIF"),
    "pdf": b"%PDF-1.7",
    "too many pixels": encode(Image.new("1", (8000, 5001)), "PNG"),
}
