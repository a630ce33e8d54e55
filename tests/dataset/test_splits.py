from collections import Counter
from pathlib import Path

import pytest

from dataset.errors import DataError
from dataset.sources import Entry
from dataset.splits import assign_splits


def entries(split: str | None = None, **counts: int) -> list[Entry]:
    return [
        Entry(path=Path(f"{label}{number}{split}"), label=label, split=split)
        for label, count in counts.items()
        for number in range(count)
    ]


def tally(result: list[Entry]) -> Counter[tuple[str, str | None]]:
    return Counter((entry.label, entry.split) for entry in result)


def test_split_is_60_20_20_in_each_class() -> None:
    result = tally(assign_splits(entries(a=100, b=10), seed=0))
    assert result == {
        ("a", "train"): 60, ("a", "val"): 20, ("a", "test"): 20, ("b", "train"): 6, ("b", "val"): 2, ("b", "test"): 2
    }  # fmt: skip


def test_rare_classes_are_in_every_split() -> None:
    result = tally(assign_splits(entries(a=500, rare=3), seed=0))
    assert [result["rare", split] for split in ("train", "val", "test")] == [1, 1, 1]


def test_too_rare_classes_are_refused() -> None:
    with pytest.raises(DataError, match="class rare has 2 distinct images; expected at least 3"):
        assign_splits(entries(a=9, rare=2), seed=0)


def test_split_depends_on_the_seed_alone() -> None:
    assert assign_splits(entries(a=20, b=20), seed=1) == assign_splits(entries(a=20, b=20), seed=1)
    assert assign_splits(entries(a=20, b=20), seed=1) != assign_splits(entries(a=20, b=20), seed=2)


def test_groups_stay_together() -> None:
    grouped = [
        Entry(path=Path(f"{label}{number}"), label=label, group=f"{label}{number // 4}")
        for label in "ab"
        for number in range(40)
    ]
    splits_of_group: dict[str | None, set[str | None]] = {}
    for entry in assign_splits(grouped, seed=0):
        splits_of_group.setdefault(entry.group, set()).add(entry.split)
    assert all(len(splits) == 1 for splits in splits_of_group.values())


def test_given_splits_are_kept() -> None:
    given = entries("train", a=5, b=5) + entries("val", a=2, b=2)
    assert assign_splits(given, seed=0) == given


def test_missing_validation_comes_from_train() -> None:
    given = entries("train", a=10, b=10) + entries("test", a=3, b=3)
    result = tally(assign_splits(given, seed=0))
    assert [result["a", split] for split in ("train", "val", "test")] == [8, 2, 3]


def test_no_train_images() -> None:
    with pytest.raises(DataError, match="no image has the split train"):
        assign_splits(entries("val", a=5, b=5), seed=0)
