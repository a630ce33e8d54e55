"""Entries without a split in, entries with one out: stratified by class, seeded, groups kept whole."""

import random
from collections import defaultdict
from dataclasses import replace

from dataset.errors import DataError
from dataset.sources import Entry

TEST_SHARE = 0.2
VAL_SHARE = 0.2


def assign_splits(entries: list[Entry], seed: int) -> list[Entry]:
    """Give every entry a split. Splits that are there already are kept; a missing val is taken from train.

    Each class gets at least one group of images in every split, which library splitters don't promise for the
    rare ones. Raises `DataError` where a class is too small for that.
    """
    given = {entry.split for entry in entries}
    if not given & {"train", None}:
        raise DataError("no image has the split train; mark some, or remove the split column")
    if "val" in given:
        return entries
    shares = {"val": VAL_SHARE} if "train" in given else {"val": VAL_SHARE, "test": TEST_SHARE}
    kept = [entry for entry in entries if entry.split == "test"]
    return kept + _split([entry for entry in entries if entry.split != "test"], shares, seed)


def _split(entries: list[Entry], shares: dict[str, float], seed: int) -> list[Entry]:
    chosen: dict[str, str] = {}
    for label, groups in sorted(_groups_by_label(entries).items()):
        if len(groups) <= len(shares):
            raise DataError(
                f"class {label} has {len(groups)} distinct images; expected at least {len(shares) + 1}, "
                f"one each for {', '.join(('train', *shares))}"
            )
        random.Random(f"{seed} {label}").shuffle(groups)
        counts = {split: max(1, round(share * len(groups))) for split, share in shares.items()}
        for split, count in counts.items():
            chosen.update((groups.pop(), split) for _ in range(count))
    return [replace(entry, split=chosen.get(_group(entry), "train")) for entry in entries]


def _groups_by_label(entries: list[Entry]) -> dict[str, list[str]]:
    """The groups of each class, in a fixed order; a group with several labels counts for its first."""
    owners: dict[str, str] = {}
    for entry in entries:
        owners.setdefault(_group(entry), entry.label)
    groups: dict[str, list[str]] = defaultdict(list)
    for group, label in sorted(owners.items()):
        groups[label].append(group)
    return groups


def _group(entry: Entry) -> str:
    return entry.group or str(entry.path)
