import numpy as np
import pytest
from PIL import Image

from tests.pictures import TINTS, draw
from training.recipe.augmentation import AUGMENTATIONS, Augmentation

SIZE = 32
PICTURE = draw((48, 40), TINTS["red"], seed=1)
ONLY_MOVED = {"light": 0.0, "contrast": 0.0, "colour": 0.0}


def shown(augmentation: Augmentation, picture: Image.Image = PICTURE, seed: int = 0) -> np.ndarray:
    return augmentation(picture, SIZE, np.random.default_rng(seed))


@pytest.mark.parametrize("name", ["photo", "surface", "text"])
def test_an_augmentation_shows_the_picture_in_the_models_size(name: str) -> None:
    augmentation = AUGMENTATIONS[name]  # type: ignore[index]
    assert augmentation
    views = [shown(augmentation, seed=seed) for seed in range(20)]
    assert {(view.shape, view.dtype) for view in views} == {((SIZE, SIZE, 3), np.dtype(np.uint8))}
    assert len({view.tobytes() for view in views}) == 20
    assert max(abs(float(view.mean()) - float(np.asarray(PICTURE).mean())) for view in views) < 60


def test_changing_nothing_gives_the_largest_square() -> None:
    square = draw((SIZE, SIZE), TINTS["blue"], seed=2)
    assert np.array_equal(shown(Augmentation(says="nothing"), square), np.asarray(square))


@pytest.mark.parametrize(("flipped", "turned", "views"), [(False, False, 1), (True, False, 2), (False, True, 8)])
def test_flips_and_quarter_turns_give_all_views_and_no_other(flipped: bool, turned: bool, views: int) -> None:
    square = draw((SIZE, SIZE), TINTS["blue"], seed=2)
    augmentation = Augmentation(says="turned", flipped=flipped, turned=turned)
    found = {shown(augmentation, square, seed).tobytes() for seed in range(100)}
    pixels = np.asarray(square)
    expected = {np.rot90(each, quarters).tobytes() for each in (pixels, pixels[:, ::-1]) for quarters in range(4)}
    assert len(found) == views
    assert found <= expected


def test_a_rotation_is_filled_with_the_mean_colour() -> None:
    white = Image.new("RGB", (SIZE, SIZE), (250, 240, 230))
    assert np.array_equal(shown(Augmentation(says="tilted", degrees=45), white), np.asarray(white))


def test_light_changes_all_channels_alike_and_colour_does_not() -> None:
    grey = Image.new("RGB", (SIZE, SIZE), (100, 100, 100))
    lit = shown(Augmentation(says="lit", light=0.2, colour=0.5), grey, seed=3)
    assert len(np.unique(lit)) == 1
    assert 80 <= lit[0, 0, 0] <= 120


def test_a_long_strip_is_seen_in_parts() -> None:
    strip = draw((200, 20), TINTS["red"], seed=4)
    assert shown(Augmentation(says="crops", area=0.7), strip).shape == (SIZE, SIZE, 3)
