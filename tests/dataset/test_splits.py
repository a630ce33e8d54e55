from collections import Counter
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.errors import DataError
from dataset.reading.entries import Entry
from dataset.splits import Shares, absences, assign_splits, follow
from tests.effort import times

SHARES = Shares.parse("60/20/20")


def entries(split: str | None = None, **counts: int) -> list[Entry]:
    return [
        Entry(path=Path(f"{label}{number}{split}"), label=label, split=split)
        for label, count in counts.items()
        for number in range(count)
    ]


def hashes(items: list[Entry]) -> list[str]:
    return [sha256(str(item.path).encode()).hexdigest() for item in items]


def assign(
    items: list[Entry], *, clusters: list[int] | None = None, shares: Shares = SHARES, seed: int = 0
) -> list[Entry]:
    return assign_splits(items, hashes(items), clusters or list(range(len(items))), shares=shares, seed=seed)


def tally(result: list[Entry]) -> Counter[tuple[str, str | None]]:
    return Counter((entry.label, entry.split) for entry in result)


def test_split_is_60_20_20_in_each_class() -> None:
    result = tally(assign(entries(a=100, b=10)))
    assert result == {
        ("a", "train"): 60, ("a", "val"): 20, ("a", "test"): 20, ("b", "train"): 6, ("b", "val"): 2, ("b", "test"): 2
    }  # fmt: skip


@pytest.mark.parametrize(("large", "small"), [(100, 9), (20, 9), (100, 100), (30, 200)])
def test_shares_count_pictures_not_clusters(large: int, small: int) -> None:
    items = entries(a=large + small)
    for seed in range(20):
        result = tally(assign(items, clusters=[0] * large + list(range(1, small + 1)), seed=seed))
        wanted = min(small / 2, 0.2 * (large + small))  # the large cluster is in training where it is over a share
        assert abs(result["a", "test"] - wanted) <= 1
        assert abs(result["a", "val"] - wanted) <= 1


@pytest.mark.parametrize(
    ("text", "expected"), [("70/15/15", (70, 15, 15)), ("80/20", (80, 20, 0)), ("3/1/1", (60, 20, 20))]
)
def test_shares_can_be_set(text: str, expected: tuple[int, int, int]) -> None:
    result = tally(assign(entries(a=100, b=100), shares=Shares.parse(text)))
    assert tuple(result["a", split] for split in ("train", "val", "test")) == expected


@pytest.mark.parametrize("text", ["", "60", "60/0/40", "-1/20/20", "60/20/20/5", "a/b", "60/20/-20"])
def test_nonsensical_shares_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Shares.parse(text)


def test_rare_classes_are_in_every_split() -> None:
    result = tally(assign(entries(a=500, rare=3)))
    assert [result["rare", split] for split in ("train", "val", "test")] == [1, 1, 1]


def test_a_class_of_two_objects_is_trained_and_validated() -> None:
    result = assign(entries(a=9, rare=2))
    assert {item.split for item in result if item.label == "rare"} == {"train", "val"}
    assert absences(result, list(range(11))) == ["rare has 2 objects (2 images), none in test"]


def test_a_class_of_one_object_is_trained_however_many_images_it_has() -> None:
    items, clusters = entries(a=9, rare=10), [*range(9), *[9] * 10]
    result = assign(items, clusters=clusters)
    assert tally(result)["rare", "train"] == 10
    assert absences(result, clusters) == ["rare has 1 object (10 images), none in test and val"]


def test_split_depends_on_content_and_seed_alone() -> None:
    items = entries(a=20, b=20)
    assert assign(items, seed=1) == assign(items, seed=1) != assign(items, seed=2)
    renamed = [replace(item, path=Path("elsewhere") / item.path) for item in items]
    kept = assign_splits(renamed, hashes(items), list(range(40)), shares=SHARES, seed=1)
    assert [item.split for item in kept] == [item.split for item in assign(items, seed=1)]


def test_given_splits_are_kept() -> None:
    items = entries("train", a=5, b=5) + entries("val", a=2, b=2)
    assert assign(items) == items


def test_missing_validation_comes_from_train() -> None:
    result = tally(assign(entries("train", a=10, b=10) + entries("test", a=3, b=3)))
    assert [result["a", split] for split in ("train", "val", "test")] == [8, 2, 3]


def test_no_train_images() -> None:
    with pytest.raises(DataError, match="no image has the split train"):
        assign(entries("test", a=5, b=5))


# Sets of pictures: the label and the cluster of each.
clustered = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30) | st.integers(0, 3)), min_size=12, max_size=60)


def as_entries(pictures: list[tuple[str, int]]) -> tuple[list[Entry], list[int]]:
    """Three lone pictures of each class, so that each class can be in each split, and then these."""
    items = entries(a=3, b=3) + [
        Entry(path=Path(f"p{number}"), label=label) for number, (label, _) in enumerate(pictures)
    ]
    return items, [*range(100, 106), *(cluster for _, cluster in pictures)]


def moved(before: list[Entry], after: list[Entry], clusters: list[int]) -> Counter[frozenset[str | None]]:
    """How many known clusters moved between each two splits."""
    pairs = {
        (cluster, frozenset((old.split, new.split)))
        for old, new, cluster in zip(before, after, clusters, strict=False)
        if old.split != new.split
    }
    return Counter(splits for _, splits in pairs)


@settings(max_examples=times(100, 3000), deadline=None)
@given(clustered, st.integers(0, 5))
def test_clusters_go_whole_and_every_class_is_in_every_split(pictures: list[tuple[str, int]], seed: int) -> None:
    items, clusters = as_entries(pictures)
    result = assign(items, clusters=clusters, seed=seed)
    assert len({(cluster, item.split) for cluster, item in zip(clusters, result, strict=True)}) == len(set(clusters))
    assert set(tally(result)) == {(label, split) for label in "ab" for split in ("train", "val", "test")}


@settings(max_examples=times(200, 5000), deadline=None)
@given(clustered, st.sampled_from("ab"), st.integers(0, 5), st.integers(0, 10**9))
def test_a_lone_new_picture_moves_at_most_one_cluster_across_each_border(
    pictures: list[tuple[str, int]], label: str, seed: int, name: int
) -> None:
    items, clusters = as_entries(pictures)
    before = assign(items, clusters=clusters, seed=seed)
    added = Entry(path=Path(f"new{name}"), label=label)
    after = assign([*items, added], clusters=[*clusters, 999], seed=seed)
    crossings = moved(before, after, clusters)
    # Two borders: test to val, val to train.
    assert crossings.total() <= 2
    assert max(crossings.values(), default=0) <= 1


def followed(items: list[Entry], clusters: list[int], known: dict[str, str]) -> tuple[list[Entry], list[str]]:
    return follow(items, hashes(items), clusters, known, shares=SHARES, seed=0)


@settings(max_examples=times(100, 3000), deadline=None)
@given(clustered, st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60)), max_size=20))
def test_with_an_old_split_nothing_known_moves(pictures: list[tuple[str, int]], added: list[tuple[str, int]]) -> None:
    items, clusters = as_entries(pictures)
    before = assign(items, clusters=clusters)
    known = dict(zip(hashes(items), (str(item.split) for item in before), strict=True))
    new = [Entry(path=Path(f"new{number}"), label=label) for number, (label, _) in enumerate(added)]
    after, notes = followed([*items, *new], [*clusters, *(cluster for _, cluster in added)], known)
    assert after[: len(items)] == before
    assert notes == []
    old_split = {cluster: item.split for item, cluster in zip(before, clusters, strict=True)}
    for item, (_, cluster) in zip(after[len(items) :], added, strict=True):
        assert item.split == old_split.get(cluster, item.split)


def test_a_picture_that_joins_clusters_of_two_splits_goes_to_training_and_is_named() -> None:
    items = entries(a=30, b=30)
    before = assign(items)
    test, val = (next(i for i, item in enumerate(before) if item.split == split) for split in ("test", "val"))
    known = dict(zip(hashes(items), (str(item.split) for item in before), strict=True))
    clusters = [*(test if number == val else number for number in range(60)), test]
    after, notes = followed([*items, Entry(path=Path("bridge"), label="a")], clusters, known)
    assert after[:60] == before
    assert after[60].split == "train"
    assert notes == ["bridge shows the same object as images of test and val: it goes to training"]


def test_a_new_class_is_dealt_to_every_split() -> None:
    items = entries(a=30, b=30)
    known = dict(zip(hashes(items), (str(item.split) for item in assign(items)), strict=True))
    after, _ = followed([*items, *entries("", c=10)], list(range(70)), known)
    assert [tally(after)["c", split] for split in ("train", "val", "test")] == [6, 2, 2]


def test_new_pictures_come_to_every_split_over_time() -> None:
    items = entries(a=30, b=30)
    known = dict(zip(hashes(items), (str(item.split) for item in assign(items)), strict=True))
    after, _ = followed([*items, *entries("", a=300)], list(range(360)), known)
    new = Counter(item.split for item in after[60:])
    assert 30 < new["val"] < 90 > new["test"] > 30
