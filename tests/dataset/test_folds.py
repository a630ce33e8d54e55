from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dataset.errors import DataError
from dataset.folds import deal_folds, warnings_about_folds
from dataset.split_file import Example


def example(number: int, target: int, cluster: int | None) -> Example:
    return Example(path=Path(f"{number}.png"), target=target, sha256=f"{number * 7919 % 1000:03}", cluster=cluster)


MANY = [example(number, number % 3, number // 2 * 3 + number % 3) for number in range(120)]


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_objects_stay_together_and_classes_are_spread(folds: int) -> None:
    dealt = deal_folds(MANY, folds, seed=0)
    assert set(dealt.tolist()) == set(range(folds))
    of_object: dict[int | None, set[int]] = {}
    for each, fold in zip(MANY, dealt.tolist(), strict=True):
        of_object.setdefault(each.cluster, set()).add(fold)
    assert all(len(found) == 1 for found in of_object.values())
    counts = Counter((fold, each.target) for each, fold in zip(MANY, dealt.tolist(), strict=True))
    assert max(counts.values()) - min(counts.values()) <= 4


def test_the_order_of_the_files_makes_no_difference_and_the_seed_does() -> None:
    dealt = deal_folds(MANY, 5, seed=0)
    assert np.array_equal(deal_folds(MANY[::-1], 5, seed=0)[::-1], dealt)
    assert not np.array_equal(deal_folds(MANY, 5, seed=1), dealt)


def test_a_class_with_fewer_objects_than_folds_is_dealt_and_named() -> None:
    few = [*MANY, *(example(200 + number, 3, 900 + number) for number in range(3)), example(300, 4, 999)]
    assert len(deal_folds(few, 5, seed=0)) == len(few)
    told = warnings_about_folds(few, ["a", "b", "c", "rare", "single"], 5)
    assert told == [
        "All images of single show one object: no fold can learn the class and be asked for it too",
        "Not every one of the 5 folds is asked for a class with fewer objects: rare",
    ]
    assert warnings_about_folds(MANY, ["a", "b", "c"], 5) == []


def test_more_folds_than_objects_are_refused() -> None:
    with pytest.raises(DataError, match="there are 4 objects in the largest class; expected at least 5, one for each"):
        deal_folds([example(number, number % 2, number) for number in range(8)], 5, seed=0)
