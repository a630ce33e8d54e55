"""Values of an input in, pixels or picture files out; texts of an output in, bytes out."""

import base64
import binascii
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from serve.errors import malformed_request
from serve.v2.types import InferInput, Pixels

LENGTH_BYTES = 4


def read_input(given: InferInput, binary: bytes, size: int, most: int) -> tuple[list[Pixels], list[bytes]]:
    """An input's pictures: uint8 [N, size, size, 3], or N files; at most `most`. Raises `RequestError` 400."""
    wanted = {"UINT8": [size, size, 3], "BYTES": []}.get(given.datatype)
    if wanted is None:
        raise malformed_request(f"datatype is {given.datatype[:20]}; expected UINT8 (pixels) or BYTES (image files)")
    if not given.shape or given.shape[1:] != wanted or not 1 <= given.shape[0] <= most:
        raise malformed_request(f"shape is {given.shape[:8]}; expected {['N', *wanted]} with N from 1 to {most}")
    if given.data is None:
        binary = _sized(given, binary)
    if given.datatype == "UINT8":
        return list(_pixels(given, binary)), []
    files = split(binary) if given.data is None else _decode(given.data)
    if len(files) != given.shape[0]:
        raise malformed_request(f"shape is {given.shape}, but data has {len(files)} elements; expected the same number")
    return [], files


def _sized(given: InferInput, binary: bytes) -> bytes:
    """The input's bytes. Its size need not be said, as there is only one input."""
    size = given.parameters.get("binary_data_size", len(binary))
    if size != len(binary) or isinstance(size, bool):
        raise malformed_request(
            f"binary_data_size is {size!r}, but {len(binary)} bytes follow the JSON; expected the same number"
        )
    return binary


def _pixels(given: InferInput, binary: bytes) -> Pixels:
    count = math.prod(given.shape)
    if given.data is None:
        if len(binary) != count:
            raise malformed_request(
                f"the data has {len(binary)} bytes; expected {count} bytes for the shape {given.shape}"
            )
        return np.frombuffer(binary, np.uint8).reshape(given.shape)
    try:
        values = np.asarray(given.data)
    except ValueError as error:  # rows of several lengths
        raise malformed_request("data is not a tensor: its rows differ in length") from error
    if values.dtype.kind not in "iu" or values.size != count or values.min() < 0 or values.max() > 255:
        raise malformed_request(f"data is not valid; expected {count} whole numbers from 0 to 255")
    return values.astype(np.uint8).reshape(given.shape)


def split(binary: bytes) -> list[bytes]:
    """Elements with their length before each, 4 bytes, little-endian."""
    elements, place = [], 0
    while place < len(binary):
        begin = place + LENGTH_BYTES
        place = begin + int.from_bytes(binary[place:begin], "little")
        if place > len(binary) or begin > len(binary):
            raise malformed_request(
                "an element is longer than the rest of the body; check the 4-byte lengths before the elements"
            )
        elements.append(binary[begin:place])
    return elements


def _decode(data: Sequence[Any]) -> list[bytes]:
    """In JSON, files are written in base64."""
    try:
        return [base64.b64decode(element, validate=True) for element in data]
    except (binascii.Error, ValueError, TypeError) as error:
        raise malformed_request(
            "data is not valid base64; expected image files in base64 for the datatype BYTES"
        ) from error


def join(elements: Iterable[bytes]) -> bytes:
    """Elements with their length before each, as `split` takes them."""
    return b"".join(len(element).to_bytes(LENGTH_BYTES, "little") + element for element in elements)
