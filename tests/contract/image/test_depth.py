import numpy as np
import pytest
from PIL import Image

from contract import ImageSpec, bits_used, decode_image, preprocess
from tests.pictures import draw, encode


def sixteen_bit(largest: int) -> bytes:
    """A grey PNG with 16 bits a pixel: a ramp from 0 to `largest`."""
    ramp = np.linspace(0, largest, 64 * 48).reshape(48, 64).astype(np.uint16)
    return encode(Image.fromarray(ramp), "PNG")


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
def test_grey_is_scaled_by_the_bits_that_are_used(depth: int) -> None:
    values = np.asarray(decode_image(sixteen_bit(2**depth - 1), depth=depth))
    assert (values.min(), values.max()) == (0, 255)
    assert abs(float(values.mean()) - 127.5) < 2


def test_without_a_depth_the_high_byte_is_kept_as_before() -> None:
    assert np.asarray(decode_image(sixteen_bit(4095))).max() == 15
    assert np.array_equal(
        preprocess(sixteen_bit(65535), ImageSpec(size=8, resize=8)),
        preprocess(sixteen_bit(65535), ImageSpec(size=8, resize=8, depth=16)),
    )


def test_values_above_the_depth_are_white_and_do_not_wrap() -> None:
    values = np.asarray(decode_image(sixteen_bit(65535), depth=12))
    assert values.max() == 255
    assert (np.diff(values[:, :, 0].ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize(("largest", "bits"), [(3, 8), (255, 8), (1023, 10), (3000, 12), (16383, 14), (65535, 16)])
def test_bits_are_found(largest: int, bits: int) -> None:
    assert bits_used(sixteen_bit(largest)) == bits


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "AVIF"])
def test_files_of_eight_bits_have_no_depth(kind: str) -> None:
    assert bits_used(encode(draw((20, 20), (9, 9, 9), 0), kind)) is None


@pytest.mark.parametrize("depth", [7, 17, 12.5])
def test_other_depths_are_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth is {depth}; expected a whole number from 8 to 16"):
        ImageSpec(size=8, resize=8, depth=depth)
