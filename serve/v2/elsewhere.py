"""A request of the Open Inference Protocol V2, read in one process for another: as JSON and bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from serve.v2.codec import read_query
from serve.v2.types import InferQuery, InferRequest


def read_plainly(
    body: bytes, header_length: str | None, size: int, most: int
) -> tuple[dict[str, Any], Sequence[bytes]]:
    """What `read_query` reads: its request without data, and each image's bytes. Raises `RequestError`."""
    query = read_query(body, header_length, size, most)
    said = {"request": query.request.model_dump(), "binary": query.binary, "are_files": bool(query.files)}
    return said, query.files or [pixels.tobytes() for pixels in query.pixels]


def from_plain(said: dict[str, Any], blocks: Sequence[bytes], size: int) -> InferQuery:
    """The same again."""
    pixels = [] if said["are_files"] else [np.frombuffer(block, np.uint8).reshape(size, size, 3) for block in blocks]
    return InferQuery(
        request=InferRequest.model_validate(said["request"]),
        pixels=pixels,
        files=list(blocks) if said["are_files"] else [],
        binary=said["binary"],
    )
