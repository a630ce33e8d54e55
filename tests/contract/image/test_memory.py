"""A small file may unfold to many pixels: how much memory that takes, and that nothing changes by it."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from contract import ImageSpec, decode_image, preprocess
from contract.image import decode_reduced, resize
from contract.image.opening import open_image
from tests.commands import run_python
from tests.pictures import draw, encode

PEAK = """
import json
from pathlib import Path
from contract import ImageSpec, preprocess
data = Path({path!r}).read_bytes()
preprocess(Path({small!r}).read_bytes(), ImageSpec(size=224, resize=232))
def peak():  # of this process alone: what `getrusage` tells begins with the peak of the process that started it
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
before = peak()
preprocess(data, ImageSpec(size=224, resize=232))
print(json.dumps((peak() - before) / 1024))
"""
SIZE = (251, 173)
MODES = ["RGBA", "LA", "P", "RGB", "L", "I;16", "1"]


def picture(mode: str, size: tuple[int, int]) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.zeros((size[1], size[0]), np.uint16) + 3000)
    return Image.new(mode, size, {"RGBA": (200, 50, 40, 128), "LA": (90, 128), "RGB": (9, 8, 7)}.get(mode, 1))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of one process")
@pytest.mark.parametrize(("mode", "orientation"), [("RGBA", 1), ("RGBA", 6), ("LA", 3), ("I;16", 1)])
def test_forty_million_pixels_take_under_200_mb(mode: str, orientation: int, tmp_path: Path) -> None:
    picture(mode, (8000, 5000)).save(tmp_path / "large.png", compress_level=1, exif=turned(orientation))
    picture("RGB", (8, 8)).save(tmp_path / "small.png")
    result = run_python(PEAK.format(path=str(tmp_path / "large.png"), small=str(tmp_path / "small.png")))
    assert result.returncode == 0, result.stderr
    assert 50 < json.loads(result.stdout) < 200


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


@pytest.fixture
def small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an image of some thousand pixels be taken for a large one, of strips of a few rows."""
    monkeypatch.setattr("contract.image.decoding.LARGE", 1000)
    monkeypatch.setattr("contract.image.pixels._STRIP", 3000)


@pytest.mark.usefixtures("small_strips")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_strips_of_turned_images_give_the_same_bits(orientation: int) -> None:
    noisy = draw(SIZE, (120, 90, 60), 0)
    turn = encode(noisy, "PNG", compress_level=0, exif=turned(orientation))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(turn)))
    spec = ImageSpec(size=60, resize=62)
    assert np.array_equal(np.asarray(decode_image(turn)), np.asarray(upright))
    assert np.array_equal(preprocess(turn, spec), resize(upright, spec))


@pytest.mark.usefixtures("small_strips")
@pytest.mark.parametrize(
    ("mode", "fit"), [*((mode, "crop") for mode in MODES), ("CMYK", "crop"), ("RGB", "stretch"), ("RGB", "pad")]
)
def test_strips_give_the_same_bits(mode: str, fit: str) -> None:
    noisy = draw(SIZE, (120, 90, 60), 0)
    if mode == "I;16":
        noisy = Image.fromarray(np.asarray(noisy.convert("L")).astype(np.uint16) * 200)
    elif mode == "RGBA":
        noisy.putalpha(draw(SIZE, (128, 128, 128), 1).convert("L"))
    elif mode == "LA":
        noisy = noisy.convert("L")
        noisy.putalpha(draw(SIZE, (128, 128, 128), 1).convert("L"))
    else:
        noisy = noisy.convert(mode)
    data = encode(noisy, "JPEG") if mode == "CMYK" else encode(noisy, "PNG", compress_level=0)
    spec = ImageSpec(size=80, resize=83, fit=fit)  # type: ignore[arg-type]
    assert np.array_equal(preprocess(data, spec), resize(decode_image(data, shorter_side=83), spec))


KINDS = [
    ("PNG", "RGBA", {}),
    ("PNG", "RGB", {}),
    ("PNG", "L", {}),
    ("BMP", "RGB", {}),
    ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
    ("JPEG", "RGB", {}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("AVIF", "RGB", {"speed": 10}),
]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of one process")
@pytest.mark.parametrize(("kind", "mode", "options"), KINDS)
def test_no_image_takes_more_memory_than_is_asked_room_for(
    kind: str, mode: str, options: dict[str, Any], tmp_path: Path
) -> None:
    noisy = draw((500, 400), (200, 50, 40), 0).resize((5000, 4000)).convert(mode)
    noisy.save(tmp_path / "large", kind, **options)
    picture("RGB", (8, 8)).save(tmp_path / "small", kind)
    result = run_python(PEAK.format(path=str(tmp_path / "large"), small=str(tmp_path / "small")))
    assert result.returncode == 0, result.stderr
    asked = open_image((tmp_path / "large").read_bytes()).memory(232) / (1 << 20)
    assert json.loads(result.stdout) < asked


def test_room_is_held_while_an_image_is_unfolded() -> None:
    asked = list[int]()
    within = [False]

    @contextmanager
    def room(count: int) -> Iterator[None]:
        asked.append(count)
        within[0] = True
        yield
        within[0] = False

    data = encode(draw(SIZE, (120, 90, 60), 0), "PNG")
    spec = ImageSpec(size=60, resize=62)
    assert np.array_equal(preprocess(data, spec, room), preprocess(data, spec))
    decode_reduced(data, 100, room=room)
    assert asked == [int(5.5 * SIZE[0] * SIZE[1])] * 2
    assert not within[0]


@pytest.mark.usefixtures("small_strips")
@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_to_look_at_is_reduced_to_what_is_needed(kind: str, orientation: int) -> None:
    noisy = draw(SIZE, (120, 90, 60), 0)
    data = encode(noisy, kind, exif=turned(orientation))
    whole, reduced = decode_image(data), decode_reduced(data, 40)
    assert max(reduced.size) == (-(-max(SIZE) // 3) if kind == "PNG" else max(SIZE) // 2 + 1)
    assert (reduced.width > reduced.height) == (whole.width > whole.height)
    small = [np.asarray(image.resize((40, 40)), int) for image in (whole, reduced)]
    assert np.abs(small[0] - small[1]).mean() < 6
