"""Files that are damaged in a way that no pixel is missing in, the same files without the damage out."""

import hashlib
import io
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator

from PIL import Image

from contract.image.signature import PNG_CRITICAL, PNG_MAGIC

_END_OF_IMAGE = b"\xff\xd9"
# Bits that a decoder would take for pixels if any were missing, so that two decoded images would differ.
_FILLERS = (b"\x55" * 64, b"\xaa" * 64)
_COEFFICIENTS = 64
_START_OF_SCAN = 0xDA
_FRAMES = {0xC0, 0xC1, 0xC2}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_ROWS = 256
# A damaged tRNS alters pixels; the others of lower case are metadata.
_MATTERS = {*PNG_CRITICAL, b"tRNS"}


def mend(kind: str, data: bytes) -> bytes | None:
    """The file without its damage, or None if there is none of a kind that can be mended."""
    if kind == "PNG":
        return _png_without_broken_metadata(data)
    return _jpeg_with_end_mark(data) if kind == "JPEG" else None


def _png_without_broken_metadata(data: bytes) -> bytes | None:
    """Metadata chunks with a wrong checksum are left out."""
    kept, offset = [data[: len(PNG_MAGIC)]], len(PNG_MAGIC)
    while offset + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + length + 12
        chunk = data[offset:end]
        if kind in _MATTERS or _is_sound(chunk):
            kept.append(chunk)
        offset = end
    mended = b"".join(kept)
    return mended if len(mended) < len(data) else None


def _is_sound(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])


def _jpeg_with_end_mark(data: bytes) -> bytes | None:
    """A JPEG that lacks only its end mark gets one; None if pixels are missing too.

    That is so if its scans hold every coefficient, and if what follows them makes no difference to any pixel.
    """
    if data.rstrip(b"\0").endswith(_END_OF_IMAGE) or not _all_coefficients_are_there(data):
        return None
    data = _without_fill(data)
    # A decoder that misses a restart mark passes over all bytes before it, so the bits stand behind one too.
    restart = _next_restart_mark(data)
    fillers = (b"", *(bits + restart + bits for bits in _FILLERS))
    images = {_digest(data + filler + _END_OF_IMAGE) for filler in fillers}
    return data + _END_OF_IMAGE if len(images) == 1 and None not in images else None


def _without_fill(data: bytes) -> bytes:
    """The data without the zeros of a file that was never filled, and without half an end mark."""
    end = len(data.rstrip(b"\0\xff"))
    while data.startswith(b"\xff\0", end):  # a byte of coded data that is 255 is followed by 0
        end += 2
    return data[:end]


def _next_restart_mark(data: bytes) -> bytes:
    """The restart mark that a decoder expects after the last one of the last scan (ITU T.81, E.1.4)."""
    scan = data.rfind(bytes((0xFF, _START_OF_SCAN)))
    last = max(range(0xD0, 0xD8), key=lambda mark: data.rfind(bytes((0xFF, mark)), scan))
    seen = data.find(bytes((0xFF, last)), scan) >= 0
    return bytes((0xFF, 0xD0 + (last - 0xD0 + 1) % 8 if seen else 0xD0))


def _digest(data: bytes) -> str | None:
    """A hash of the decoded pixels, taken in strips; None if they can't be decoded."""
    digest = hashlib.sha256()
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.load()
            for top in range(0, image.height, _ROWS):
                digest.update(image.crop((0, top, image.width, min(top + _ROWS, image.height))).tobytes())
    # Pillow's parsers raise almost anything on hostile bytes; whatever it is, this file is not mended.
    except Exception:
        return None
    return digest.hexdigest()


def _all_coefficients_are_there(data: bytes) -> bool:
    """Whether the scans of a JPEG bring each coefficient of each component to its full precision (ITU T.81, G.1)."""
    components: set[int] = set()
    finished: dict[int, set[int]] = defaultdict(set)
    for marker, segment in _segments(data):
        if marker in _FRAMES and len(segment) > 6:
            components = {segment[place] for place in range(6, len(segment), 3)}
        if marker == _START_OF_SCAN and len(segment) >= 4 and len(segment) == 4 + 2 * segment[0]:
            first, last, precision = segment[-3], segment[-2], segment[-1] & 0x0F
            if precision == 0:
                for place in range(1, 1 + 2 * segment[0], 2):
                    finished[segment[place]] |= set(range(first, last + 1))
    return bool(components) and all(len(finished[component]) == _COEFFICIENTS for component in components)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker of a JPEG with the bytes of its segment; coded data between them is passed over."""
    place = 2
    while 0 <= (place := data.find(b"\xff", place)) < len(data) - 3:
        marker = data[place + 1]
        if marker in (0x00, 0xFF) or marker in _WITHOUT_LENGTH:
            place += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[place + 2 : place + 4])
        yield marker, data[place + 4 : place + 2 + length]
        place += 2 + max(length, 2)
