from collections import Counter

import numpy as np
import pytest

from training.recipe.balance import draw_epoch

TARGETS = [0] * 50 + [1] * 9 + [2]


def test_an_epoch_has_each_image_once() -> None:
    assert sorted(draw_epoch(TARGETS, np.random.default_rng(0), balanced=False)) == list(range(60))


@pytest.mark.parametrize("seed", range(5))
def test_a_balanced_epoch_has_each_class_equally_often(seed: int) -> None:
    drawn = draw_epoch(TARGETS, np.random.default_rng(seed), balanced=True)
    assert Counter(TARGETS[index] for index in drawn) == {0: 20, 1: 20, 2: 20}
    times = Counter(drawn.tolist())
    assert {times[index] for index in range(50)} == {0, 1}
    assert {times[index] for index in range(50, 59)} == {2, 3}


def test_what_can_not_be_divided_goes_to_other_classes_each_time() -> None:
    drawn = [draw_epoch([0, 0, 0, 1], np.random.default_rng(seed), balanced=True) for seed in range(8)]
    assert {len(each) for each in drawn} == {4}
    uneven = [draw_epoch([0, 0, 0, 0, 1], np.random.default_rng(seed), balanced=True) for seed in range(20)]
    assert {int((each == 4).sum()) for each in uneven} == {2, 3}


def test_the_order_is_random() -> None:
    orders = {tuple(draw_epoch(TARGETS, np.random.default_rng(seed), balanced=True)) for seed in range(10)}
    assert len(orders) == 10
