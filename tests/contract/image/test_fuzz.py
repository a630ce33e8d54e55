"""Mutated pictures: whatever the bytes, the answer is pixels or an `ImageError`."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract import ImageError, ImageSpec, preprocess
from tests.effort import times
from tests.pictures import draw, encode

SPEC = ImageSpec(size=16, resize=16)
ORIGINALS = [encode(draw((40, 30), (200, 90, 40), 0), kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "AVIF")]
ORIGINALS += [path.read_bytes() for path in sorted((Path(__file__).parent / "heic").glob("*.heif"))]


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some damage it can live with
@pytest.mark.proof
@settings(max_examples=times(400, 40_000), deadline=None)
@given(
    original=st.sampled_from(ORIGINALS),
    edits=st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6),
    length=st.floats(0, 1),
)
def test_mutated_pictures_never_crash_the_decoder(
    original: bytes, edits: list[tuple[int, bytes]], length: float
) -> None:
    data = bytearray(original)
    for position, content in edits:
        start = position % len(data)
        data[start : start + len(content)] = content
    try:
        shape = preprocess(bytes(data[: max(1, int(length * len(data)))]), SPEC).shape
    except ImageError:
        return
    assert shape == (16, 16, 3)
