from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from contract import ImageSpec
from dataset.split_file import Example
from evaluation.answers import Answers
from evaluation.mistakes.mistakes import MOST_MISTAKES, read_mistakes, worst_mistakes, write_mistakes
from tests.pictures import draw, encode

SPEC = ImageSpec(size=32, resize=33)
LABELS = ["dull", "bright"]


def left_half(images_nhwc: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Activation maps of a model that looks at the left for the second class, and at the right for the first."""
    maps = np.zeros((len(images_nhwc), 2, 2, 2), np.float32)
    maps[:, 1, :, 0] = maps[:, 0, :, 1] = 1
    return maps


def answers_with(certainties: list[float]) -> Answers:
    """Answers to images of the first class; a positive logit of the second is a mistake."""
    logits = np.array([[0, certainty] for certainty in certainties], dtype=np.float32)
    return Answers(logits=logits, targets=np.zeros(len(certainties), dtype=np.int64))


@pytest.fixture
def example(tmp_path: Path) -> Example:
    (tmp_path / "a.jpg").write_bytes(encode(draw((90, 60), (120, 120, 120), seed=0)))
    return Example(path=tmp_path / "a.jpg", target=0)


def test_the_most_certain_mistakes_come_first_and_right_answers_never() -> None:
    assert worst_mistakes(answers_with([-9, 1, 3, -1, 2]), 1.0) == [2, 4, 1]


def test_of_one_object_the_worst_is_enough() -> None:
    answers = replace(answers_with([1, 3, -1, 2, 4]), clusters=np.array([0, 1, 1, 1, 0]))
    assert worst_mistakes(answers, 1.0) == [4, 1]


def test_so_many_at_most() -> None:
    assert len(worst_mistakes(answers_with([1.0] * 100), 1.0)) == MOST_MISTAKES


def test_a_mistake_is_drawn_beside_where_the_model_looked_for_its_answer(example: Example, tmp_path: Path) -> None:
    write_mistakes(answers_with([2.0]), [example], LABELS, 2.0, SPEC, left_half, tmp_path / "m")
    (mistake,) = read_mistakes(tmp_path / "m") or []
    assert (mistake.name, mistake.true, mistake.answered, mistake.picture) == ("a.jpg", "dull", "bright", "01.jpg")
    assert mistake.probability == pytest.approx(1 / (1 + np.exp(-1)))
    pair = np.asarray(Image.open(tmp_path / "m" / "01.jpg").convert("RGB")).astype(int)
    plain, heated = np.split(pair, 2, axis=1)
    redder = (heated - plain)[..., 0]
    width = redder.shape[1]
    assert redder[:, width // 3].mean() > 30 > redder[:, -width // 3].mean()


def test_a_file_that_has_gone_is_listed_without_a_picture(tmp_path: Path) -> None:
    gone = Example(path=tmp_path / "gone.jpg", target=0)
    write_mistakes(answers_with([2.0]), [gone], LABELS, 1.0, SPEC, left_half, tmp_path / "m")
    (mistake,) = read_mistakes(tmp_path / "m") or []
    assert (mistake.name, mistake.picture) == ("gone.jpg", "")


def test_the_folder_is_bounded_in_size(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    examples = [Example(path=tmp_path / "noise.png", target=0)] * 30
    write_mistakes(answers_with([2.0] * 30), examples, LABELS, 1.0, SPEC, left_half, tmp_path / "m")
    assert sum(path.stat().st_size for path in (tmp_path / "m").iterdir()) < MOST_MISTAKES * 50_000


def test_no_list_is_not_an_empty_list(example: Example, tmp_path: Path) -> None:
    assert read_mistakes(tmp_path / "m") is None
    write_mistakes(answers_with([-2.0]), [example], LABELS, 1.0, SPEC, left_half, tmp_path / "m")
    assert read_mistakes(tmp_path / "m") == []
