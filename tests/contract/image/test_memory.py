"""A small file may unfold to many pixels: how much memory that takes, and that nothing changes by it."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from contract import ImageSpec, decode_image, preprocess
from contract.image import resize
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
