import numpy as np
import pytest
from PIL import Image

from contract import ImageSpec, Prediction
from runtime.annotate import annotate
from tests.pictures import TINTS, draw

SPEC = ImageSpec(size=32, resize=33)


def prediction(name: str, probability: float = 0.9) -> Prediction:
    return Prediction(index=0, label="red", display_name=name, probability=probability)


def ink(picture: Image.Image) -> int:
    """How many dark pixels stand below the picture, where the names are."""
    return int((np.asarray(picture.convert("L"))[-40:] < 100).sum())


def drawn(name: str) -> Image.Image:
    return annotate(Image.new("RGB", (100, 80), "white"), [prediction(name)], np.ones((2, 2), np.float32), SPEC)


def test_annotate_draws_chinese_characters_apart() -> None:
    pictures = [np.asarray(drawn(name)) for name in ("大斑病", "灰斑病", "Ārztë")]
    assert all(ink(Image.fromarray(picture)) > 50 for picture in pictures)
    assert not np.array_equal(pictures[0], pictures[1])


def test_annotate_warms_what_the_model_looked_at() -> None:
    activation = np.zeros((2, 2), np.float32)
    activation[0, 0] = 5
    picture = draw((500, 500), TINTS["blue"], 0)
    result = np.asarray(annotate(picture, [prediction("red")], activation, SPEC)).astype(int)
    redness = result[..., 0] - result[..., 2]
    assert redness[60:120, 60:120].mean() > redness[380:440, 380:440].mean() + 50


@pytest.mark.parametrize("size", [(1, 1), (3000, 20), (20, 3000), (640, 480)])
def test_annotate_takes_odd_sizes(size: tuple[int, int]) -> None:
    picture = annotate(Image.new("RGB", size), [prediction("x" * 300)], -np.ones((1, 1), np.float32), SPEC)
    assert picture.width >= 480
    assert max(picture.size) <= 1024 + 100


@pytest.mark.parametrize("name", ["大斑病\nnorthern", "a\r\nb", "\x1b[31mred\x00", "\u2028line", "\n", "\ud83d"])
def test_any_name_is_drawn_in_one_line(name: str) -> None:
    assert drawn(name).size == drawn("red").size


def test_a_thousand_classes_make_no_endless_picture() -> None:
    many = [prediction(f"class {number}", 0.001) for number in range(1000)]
    picture = annotate(Image.new("RGB", (100, 80), "white"), many, np.ones((2, 2), np.float32), SPEC)
    assert picture.height < 1500
