"""Detects a file's format from its first bytes, before any decoder runs."""

import struct

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
PNG_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
MAX_PNG_METADATA_CHUNKS = 1_000
MAX_PNG_METADATA_BYTES = 4 << 20

SUPPORTED = ("AVIF", "BMP", "HEIC", "JPEG", "PNG", "WEBP")
EXPECTED = "JPEG, PNG, WebP, HEIC, AVIF or BMP"
# The last two are of HEIF in general; a file that says no more is most likely HEIC, and its decoder knows.
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF = {b"avif", b"avis"}
_OTHERS = (
    (b"GIF8", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"8BPS", "Photoshop"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"PK\x03\x04", "ZIP"),
    (b"<svg", "SVG"),
)


def sniff_format(data: bytes) -> str:
    """The name of the file format: one of `SUPPORTED`, another well-known one, or "unknown"."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(PNG_MAGIC):
        return "PNG"
    if data.startswith(b"BM"):
        return "BMP"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _sniff_brands(data)
    return next((name for magic, name in _OTHERS if data.startswith(magic)), "unknown")


def _sniff_brands(data: bytes) -> str:
    """HEIC, AVIF and video share one container, whose first box lists what it can be read as (ISO/IEC 14496-12)."""
    end = min(int.from_bytes(data[:4]), 4096)
    brands = [data[8:12], *(data[place : place + 4] for place in range(16, end - 3, 4))]
    return next((kind for kind, known in (("AVIF", _AVIF), ("HEIC", _HEIC)) if known & set(brands)), "video")


def png_metadata_is_excessive(data: bytes) -> bool:
    """Whether a PNG has so much metadata that reading it would slow the server down, as in a denial-of-service attack.

    Pillow parses every ancillary chunk: two million empty chunks take it seconds.
    """
    offset, chunks, size = len(PNG_MAGIC), 0, 0
    while offset + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        if kind == b"IEND":
            break
        if kind not in PNG_CRITICAL:
            chunks, size = chunks + 1, size + length
        offset += length + 12
        if chunks > MAX_PNG_METADATA_CHUNKS or size > MAX_PNG_METADATA_BYTES:
            return True
    return False
