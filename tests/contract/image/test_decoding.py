"""One golden tensor per kind of picture, and one refusal per kind of attack."""

import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from torchvision.transforms import v2

from contract import ImageError, ImageSpec, decode_image, preprocess, upright_size
from contract.image import MAX_PIXELS, MAX_SIDE, Fit, decode_for, resize
from contract.image.signature import PNG_MAGIC
from contract.image.spec import Decoding
from tests.pictures import TINTS, draw, encode

FITS: tuple[Fit, ...] = ("crop", "stretch")
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def png(width: int, height: int, *, depth: int = 8, colour: int = 0, chunks: bytes = b"", pixels: bytes = b"") -> bytes:
    """A PNG written by hand, so that it may lie; `chunks` stand before the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return PNG_MAGIC + header + chunks + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def pixel(data: bytes) -> tuple[int, ...]:
    """The top left pixel after decoding."""
    value = decode_image(data).getpixel((0, 0))
    assert isinstance(value, tuple)
    return value


def flat(mode: str, colour: int | tuple[int, ...]) -> Image.Image:
    return Image.new(mode, (8, 8), colour)


def palette_with_transparency() -> bytes:
    image = flat("RGB", (255, 0, 0)).quantize(2)
    return encode(image, "PNG", transparency=0)


MODES: dict[str, tuple[bytes, tuple[int, int, int]]] = {
    "black and white": (encode(flat("1", 1), "PNG"), (255, 255, 255)),
    "grey": (encode(flat("L", 77), "PNG"), (77, 77, 77)),
    "grey with alpha": (encode(flat("LA", (0, 128)), "PNG"), (127, 127, 127)),
    "palette": (encode(flat("RGB", (9, 8, 7)).quantize(2), "PNG"), (9, 8, 7)),
    "palette with transparency": (palette_with_transparency(), (255, 255, 255)),
    "colour": (encode(flat("RGB", (1, 2, 3)), "PNG"), (1, 2, 3)),
    "transparent red": (encode(flat("RGBA", (255, 0, 0, 0)), "PNG"), (255, 255, 255)),
    "half red": (encode(flat("RGBA", (255, 0, 0, 128)), "PNG"), (255, 127, 127)),
    "CMYK": (encode(flat("CMYK", (255, 0, 0, 0)), "JPEG", quality=100), (0, 255, 255)),
    "bitmap": (encode(flat("RGB", (4, 5, 6)), "BMP"), (4, 5, 6)),
    "WebP": (encode(flat("RGB", (40, 50, 60)), "WEBP", lossless=True), (40, 50, 60)),
}


@pytest.mark.parametrize("name", MODES)
def test_decode_gives_the_documented_colour(name: str) -> None:
    data, expected = MODES[name]
    assert pixel(data) == expected


def test_decode_keeps_the_high_byte_of_sixteen_bit_grey() -> None:
    ramp = (RAMP.astype(np.uint16) << 8) + 99
    decoded = decode_image(encode(Image.fromarray(ramp), "PNG"))
    np.testing.assert_array_equal(np.asarray(decoded)[..., 0], RAMP)


def test_decode_keeps_the_high_byte_of_sixteen_bit_colour() -> None:
    row = b"\0" + struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0x1234, 0x5678, 0x9ABC)
    assert pixel(png(2, 1, depth=16, colour=2, pixels=row)) == (0x12, 0x56, 0x9A)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_decode_turns_every_exif_orientation_upright(orientation: int) -> None:
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste("red", (0, 0, 20, 10))
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_image(encode(stored, "PNG", exif=exif))
    np.testing.assert_array_equal(np.asarray(decoded), np.asarray(upright))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_decode_takes_broken_exif_as_upright() -> None:
    data = encode(draw((40, 20), (10, 20, 30), 0), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode_image(data).size == (40, 20)


def test_decode_takes_a_senseless_orientation_as_upright() -> None:
    text_for_a_number = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI4sI", 0x0112, 2, 3, b"up\0\0", 0)
    data = encode(draw((40, 20), (10, 20, 30), 0), "JPEG", exif=text_for_a_number)
    assert decode_image(data).size == (40, 20)


def test_decode_takes_the_first_frame_of_an_animation() -> None:
    frames = [flat("RGB", (0, 0, 0)), flat("RGB", (255, 255, 255))]
    assert pixel(encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)) == (0, 0, 0)


def test_decode_takes_the_first_picture_of_a_phones_multi_picture_jpeg() -> None:
    frames = [flat("RGB", (0, 0, 0)), flat("RGB", (255, 255, 255))]
    data = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert (pixel(data), decode_image(data, shorter_side=2).size) == ((0, 0, 0), (4, 4))


@pytest.mark.parametrize(
    ("size", "decoding", "expected"),
    [
        ((640, 480), 1, (640, 480)),
        ((640, 480), 2, (320, 240)),
        ((463, 463), 2, (463, 463)),
        ((464, 464), 2, (232, 232)),
        ((1920, 1080), 1, (960, 540)),
        ((1920, 1080), 2, (480, 270)),
        ((1200, 1800), 2, (300, 450)),
    ],
)
def test_the_image_contract_says_how_far_a_jpeg_is_decoded(
    size: tuple[int, int], decoding: Decoding, expected: tuple[int, int]
) -> None:
    data = encode(draw(size, TINTS["red"], seed=3))
    spec = ImageSpec(size=224, resize=232, decoding=decoding)
    assert decode_for(data, spec).size == expected
    assert np.array_equal(preprocess(data, spec), resize(decode_for(data, spec), spec))
    bmp = encode(draw(size, TINTS["red"], seed=3), "BMP")
    assert decode_for(bmp, spec).size == size


def test_a_smooth_picture_hardly_changes_with_the_decoding() -> None:
    ramp = np.linspace(0, 255, 640, dtype=np.uint8)[None, :, None].repeat(480, 0).repeat(3, 2)
    data = encode(Image.fromarray(ramp), quality=95)
    one, other = (preprocess(data, ImageSpec(size=224, resize=232, decoding=each)) for each in (1, 2))
    assert np.abs(one.astype(int) - other).max() <= 3


def test_an_unknown_decoding_is_refused() -> None:
    with pytest.raises(ValueError, match="decoding is 3; expected 1 or 2"):
        ImageSpec(size=8, resize=8, decoding=3)  # type: ignore[arg-type]


def test_decode_shrinks_a_large_jpeg_but_never_below_twice_the_target() -> None:
    data = encode(draw((1600, 1200), (90, 120, 60), 0))
    assert decode_image(data, shorter_side=64).size == (200, 150)
    assert decode_image(data, shorter_side=600).size == (1600, 1200)


def test_preprocess_of_a_shrunk_jpeg_is_close_to_the_full_one() -> None:
    smooth = draw((20, 15), (90, 120, 60), 0).resize((1600, 1200), Image.Resampling.BICUBIC)
    spec = ImageSpec(size=64, resize=66)
    shrunk = preprocess(encode(smooth), spec).astype(int)
    full = preprocess(encode(smooth, "PNG"), spec).astype(int)
    assert np.abs(shrunk - full).max() <= 8


def test_preprocess_agrees_with_torchvision() -> None:
    image = draw((15, 10), (90, 120, 60), 0).resize((300, 200), Image.Resampling.BICUBIC)
    theirs = v2.Compose([v2.Resize(58), v2.CenterCrop(56)])(image)
    ours = preprocess(encode(image, "PNG"), ImageSpec(size=56, resize=58)).astype(int)
    # Theirs rounds the resized and the cropped picture to whole pixels, ours rounds neither.
    assert np.abs(ours - np.asarray(theirs)).mean() < 3


def test_crop_sees_the_centre_and_stretch_sees_all() -> None:
    bars = Image.new("RGB", (300, 100), "black")
    bars.paste("white", (0, 0, 60, 100))
    crop, stretch = (preprocess(encode(bars, "PNG"), ImageSpec(size=30, resize=30, fit=fit))[0, :, 0] for fit in FITS)
    assert crop.max() == 0
    assert (stretch[:5].min(), stretch[7:].max()) == (255, 0)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (MAX_SIDE, 1), (1, MAX_SIDE), (3, 500)])
def test_preprocess_takes_odd_sizes(size: tuple[int, int], fit: Fit) -> None:
    spec = ImageSpec(size=2, resize=2, fit=fit)
    assert preprocess(encode(Image.new("L", size, 5), "PNG"), spec).tolist() == [[[5, 5, 5]] * 2] * 2


@pytest.mark.parametrize("size", [(MAX_SIDE + 1, 1), (8000, 5001), (60_000, 60_000)])
def test_decode_refuses_too_many_pixels_before_reading_them(size: tuple[int, int]) -> None:
    assert size[0] * size[1] > MAX_PIXELS or max(size) > MAX_SIDE
    with pytest.raises(ImageError, match=r"expected at most 40,000,000 pixels") as caught:
        decode_image(png(*size))
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PPM", "ICO", "EPS", "PDF", "TGA", "JPEG2000"])
def test_decode_refuses_other_formats(kind: str) -> None:
    with pytest.raises(ImageError, match="expected JPEG, PNG, WebP, HEIC, AVIF or BMP") as caught:
        decode_image(encode(flat("RGB", (1, 2, 3)), kind))
    assert caught.value.code == "unsupported_type"


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped_header(data: bytes) -> bytes:
    return data[:20] + b"\xff" * 20 + data[40:]


@pytest.mark.parametrize("damage", [truncated, flipped_header, lambda data: data[:12]])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_decode_refuses_damaged_files(kind: str, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ImageError, match=r".") as caught:
        decode_image(damage(encode(draw((64, 64), (9, 99, 199), 0), kind)))
    assert caught.value.code in {"unreadable_image", "image_too_large"}
    assert "0x" not in str(caught.value)


def test_decode_refuses_an_empty_file() -> None:
    with pytest.raises(ImageError, match="empty"):
        decode_image(b"")


@pytest.mark.parametrize(
    "chunks",
    [
        chunk(b"tEXt", b"a\0b") * 1001,
        chunk(b"tEXt", b"a" * (5 << 20)),
        chunk(b"iCCP", b"a\0\0" + zlib.compress(b"0" * (99 << 20))),
    ],
    ids=["many", "large", "expanding"],
)
def test_decode_refuses_metadata_bombs(chunks: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(png(1, 1, chunks=chunks, pixels=b"\0\0"))
    assert caught.value.code == "unreadable_image"


def test_decode_takes_a_picture_with_foreign_bytes_behind_it() -> None:
    assert decode_image(encode(flat("RGB", (1, 2, 3))) + b"PK\x03\x04 a zip").size == (8, 8)


def test_decode_reads_the_large_photographs(shared_data: Path) -> None:
    for path in (shared_data / "oddities" / "large_photos").iterdir():
        assert preprocess(path.read_bytes(), ImageSpec(size=224, resize=232)).shape == (224, 224, 3)


@pytest.mark.parametrize(("orientation", "size"), [(1, (200, 100)), (3, (200, 100)), (6, (100, 200)), (8, (100, 200))])
def test_the_upright_size_is_read_from_the_header(orientation: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encode(draw((200, 100), TINTS["red"], seed=1), exif=exif)
    assert upright_size(data) == size == decode_image(data).size


def test_what_is_no_picture_has_no_size() -> None:
    with pytest.raises(ImageError):
        upright_size(b"GIF89a")


def test_the_view_in_shares_of_the_picture() -> None:
    assert ImageSpec(size=32, resize=40).view_shares(200, 100) == pytest.approx((0.3, 0.1, 0.7, 0.9))
    assert ImageSpec(size=32, resize=32, fit="stretch").view_shares(200, 100) == (0, 0, 1, 1)
    assert ImageSpec(size=32, resize=32, fit="pad").view_shares(200, 100) == (0, -0.5, 1, 1.5)


@pytest.mark.parametrize(("size", "rows"), [((200, 100), (16, 48)), ((200, 198), (0, 63)), ((16384, 1), (31, 32))])
def test_pad_keeps_the_whole_picture_and_its_mean(size: tuple[int, int], rows: tuple[int, int]) -> None:
    picture = draw(size, TINTS["red"], seed=1)
    pixels = preprocess(encode(picture, "PNG"), ImageSpec(size=64, resize=66, fit="pad"))
    content = picture.resize((64, rows[1] - rows[0]), Image.Resampling.BILINEAR)
    assert np.array_equal(pixels[slice(*rows)], np.asarray(content))
    assert np.allclose(pixels.mean(axis=(0, 1)), np.asarray(content).mean(axis=(0, 1)), atol=0.5)


def test_pad_of_an_upright_picture_is_that_of_the_lying_one_turned() -> None:
    spec, picture = ImageSpec(size=64, resize=66, fit="pad"), draw((120, 80), TINTS["blue"], seed=2)
    lying = preprocess(encode(picture, "PNG"), spec)
    standing = preprocess(encode(picture.transpose(Image.Transpose.TRANSPOSE), "PNG"), spec)
    assert np.abs(standing.astype(int) - lying.transpose(1, 0, 2)).max() <= 1


@pytest.mark.parametrize("decode", [decode_image, partial(preprocess, spec=ImageSpec(size=8, resize=8))])
def test_an_image_without_the_palette_that_it_needs_is_damaged(decode: Callable[[bytes], object]) -> None:
    data = encode(Image.new("P", (20, 10)), "PNG")
    start = data.index(b"PLTE") - 4
    size = int.from_bytes(data[start : start + 4]) + 12
    with pytest.raises(ImageError) as caught:
        decode(data[:start] + data[start + size :])
    assert caught.value.code == "unreadable_image"
