"""HEIC and AVIF, as telephones write them."""

import struct
from pathlib import Path

import numpy as np
import pi_heif
import pytest
from PIL import ExifTags, Image

from contract import ImageError, ImageSpec, decode_image, file_mode, preprocess, upright_size
from contract.image.signature import sniff_format
from tests.pictures import draw, encode

HEIC = sorted((Path(__file__).parent / "heic").glob("*.heif"))
SPEC = ImageSpec(size=32, resize=33)


@pytest.mark.parametrize("path", HEIC, ids=lambda path: path.stem)
def test_heic_is_read(path: Path) -> None:
    data = path.read_bytes()
    assert sniff_format(data) == "HEIC"
    assert upright_size(data) == (29, 100)
    image = decode_image(data)
    assert (image.mode, image.size) == ("RGB", (29, 100))
    assert np.asarray(image).std() > 20
    assert preprocess(data, SPEC).shape == (32, 32, 3)


def test_heic_of_10_bits_is_scaled_to_8() -> None:
    (path,) = (path for path in HEIC if path.stem.startswith("RGB_10"))
    file = pi_heif.open_heif(path, convert_hdr_to_8bit=False)
    sixteen = np.frombuffer(file.data, np.uint16).reshape(100, -1)[:, : 3 * 29].reshape(100, 29, 3)
    assert np.abs(np.asarray(decode_image(path.read_bytes())).astype(int) - (sixteen >> 8)).max() <= 2


@pytest.mark.parametrize("path", HEIC, ids=lambda path: path.stem)
def test_a_cut_heic_is_refused(path: Path) -> None:
    data = path.read_bytes()
    for share in (0.05, 0.3, 0.6, 0.9):
        with pytest.raises(ImageError):
            decode_image(data[: int(len(data) * share)])


def avif(size: tuple[int, int] = (60, 40), **options: object) -> bytes:
    return encode(draw(size, (200, 50, 40), 3), "AVIF", **options)


def test_avif_is_read() -> None:
    data = avif(quality=90)
    assert sniff_format(data) == "AVIF"
    assert file_mode(data) == "RGB"
    mean = np.asarray(decode_image(data)).mean(axis=(0, 1))
    assert np.abs(mean - [200, 50, 40]).max() < 8


def test_avif_is_turned_upright_once() -> None:
    picture = Image.new("RGB", (60, 40), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 20, 20))  # the mark is top left as stored
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encode(picture, "AVIF", quality=100, exif=exif)
    assert upright_size(data) == (40, 60)
    red, _, blue = np.asarray(decode_image(data))[5, 35]  # turned clockwise, it is top right
    assert red > blue


@pytest.mark.parametrize("cut", [20, 100, 300])
def test_a_cut_avif_is_refused(cut: int) -> None:
    with pytest.raises(ImageError):
        decode_image(avif()[:cut])


def heic_of_size(width: int, height: int) -> bytes:
    """A HEIC whose header claims another size."""
    data = bytearray(HEIC[0].read_bytes())
    place = data.index(b"ispe")
    data[place + 8 : place + 16] = struct.pack(">II", width, height)
    return bytes(data)


@pytest.mark.parametrize(("width", "height"), [(20_000, 2), (7000, 7000), (200_000, 200_000)])
def test_heic_has_the_limits_of_every_picture(width: int, height: int) -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(heic_of_size(width, height))
    assert caught.value.code in {"image_too_large", "unreadable_image"}


def brands(major: bytes, *others: bytes) -> bytes:
    size = 16 + 4 * len(others)
    return struct.pack(">I", size) + b"ftyp" + major + b"\0\0\0\0" + b"".join(others) + b"\0" * 40


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (brands(b"heic", b"mif1", b"heic"), "HEIC"),
        (brands(b"mif1", b"mif1", b"heix"), "HEIC"),
        (brands(b"msf1", b"hevc"), "HEIC"),
        (brands(b"mif1", b"miaf"), "HEIC"),
        (brands(b"avif", b"mif1", b"miaf"), "AVIF"),
        (brands(b"mif1", b"miaf", b"avif"), "AVIF"),
        (brands(b"avis", b"msf1"), "AVIF"),
        (brands(b"isom", b"iso2", b"mp41"), "video"),
        (brands(b"qt  "), "video"),
    ],
)
def test_the_container_is_told_by_its_brands(data: bytes, kind: str) -> None:
    assert sniff_format(data) == kind


def test_a_video_is_refused_as_one() -> None:
    with pytest.raises(ImageError, match="this is video; expected JPEG, PNG, WebP, HEIC, AVIF or BMP"):
        decode_image(brands(b"isom", b"mp42"))
