"""Entries and their clusters in, entries with a split out: whole clusters are dealt, in the order of their hash."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from contract.text import counted
from dataset.errors import DataError
from dataset.reading.entries import Entry

# Dealt in this order, and the rest is for training: where there are few clusters, the test is served first.
HELD_OUT = ("test", "val")


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Parts of the pictures, such as 60/20/20; only their proportion counts. `test` may be 0."""

    train: float
    val: float
    test: float

    @classmethod
    def parse(cls, text: str) -> "Shares":
        """Shares from text such as "60/20/20", "70/30" (no test split). Raises `ValueError`."""
        numbers = [float(part) for part in text.split("/")]
        if len(numbers) not in (2, 3) or min(numbers[:2]) <= 0 or min(numbers) < 0:
            raise ValueError(text)
        return cls(train=numbers[0], val=numbers[1], test=numbers[2] if len(numbers) == 3 else 0)

    def of(self, splits: Sequence[str]) -> dict[str, float]:
        """The share of each of these splits in what is dealt between them and training."""
        parts = {split: getattr(self, split) for split in splits if getattr(self, split) > 0}
        return {split: part / (self.train + sum(parts.values())) for split, part in parts.items()}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Pictures that stay together: their places in the list of entries, and where their hash puts them, 0 to 1."""

    members: list[int]
    label: str
    position: float


def assign_splits(
    entries: Sequence[Entry], hashes: Sequence[str], clusters: Sequence[int], *, shares: Shares, seed: int
) -> list[Entry]:
    """Give every entry a split. Splits that are there already are kept; a missing val is taken from train.

    `hashes` are the SHA-256 of the entries' files, `clusters` the numbers of their clusters. In each class, the first
    clusters in the order of their hash are for test, the next for val, up to their share of the pictures; each split
    gets at least one where there are enough. So a picture that is added alone moves at most one cluster across each
    border of its class. Raises `DataError` where there is nothing to train on.
    """
    given = {entry.split for entry in entries}
    if not given & {"train", None}:
        raise DataError("no image has the split train; mark some, or remove the split column")
    if "val" in given:
        return list(entries)
    wanted = shares.of(["val"] if "train" in given else HELD_OUT)
    open_ones = [index for index, entry in enumerate(entries) if entry.split != "test"]
    dealt = _deal(gather(entries, hashes, clusters, open_ones, seed), wanted)
    return [replace(entry, split=dealt.get(index, entry.split)) for index, entry in enumerate(entries)]


def gather(
    entries: Sequence[Entry], hashes: Sequence[str], clusters: Sequence[int], chosen: Sequence[int], seed: int
) -> list[Cluster]:
    """The clusters of the chosen entries, in the order of their hash. A cluster of several classes is of its largest.

    The hash of a cluster is the least of its pictures', so that most pictures that join it leave its place as it was.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index in chosen:
        members[clusters[index]].append(index)
    found = [
        Cluster(
            members=part,
            label=_commonest([entries[index].label for index in part]),
            position=min(_position(hashes[index], seed) for index in part),
        )
        for part in members.values()
    ]
    return sorted(found, key=lambda cluster: cluster.position)


def _position(sha256: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed} {sha256}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _commonest(labels: list[str]) -> str:
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _deal(clusters: Sequence[Cluster], shares: Mapping[str, float]) -> dict[int, str]:
    """The split of each member of each cluster, class by class."""
    by_label: dict[str, list[Cluster]] = defaultdict(list)
    for cluster in clusters:
        by_label[cluster.label].append(cluster)
    return {
        index: split
        for found in by_label.values()
        for cluster, split in _deal_class(found, shares)
        for index in cluster.members
    }


def _deal_class(clusters: Sequence[Cluster], shares: Mapping[str, float]) -> list[tuple[Cluster, str]]:
    """The split of each cluster of one class.

    The largest are dealt first and the smaller ones level out the shares. Clusters of about one size are dealt in the
    order of their hash, and a lone new picture changes the dealing of other lone pictures only.
    """
    parts = _parts(clusters, shares)
    sizes: dict[int, list[Cluster]] = defaultdict(list)
    for cluster in clusters:
        sizes[len(cluster.members).bit_length()].append(cluster)
    dealt: list[tuple[Cluster, str]] = []
    for _, alike in sorted(sizes.items(), reverse=True):
        counts = _counts([len(cluster.members) for cluster in alike], parts, dealt)
        _spread(counts, {split for _, split in dealt}, rest=len(clusters) - len(dealt) - len(alike))
        splits = [split for split, count in counts.items() for _ in range(count)]
        dealt += zip(alike, splits, strict=True)
    return dealt


def _parts(clusters: Sequence[Cluster], shares: Mapping[str, float]) -> dict[str, float]:
    """The share of each split; a class of two objects is trained and validated, but not tested."""
    chosen = {split: share for split, share in shares.items() if len(clusters) != 2 or split == "val"}
    return {**chosen, "train": 1 - sum(chosen.values())}


def _counts(sizes: Sequence[int], parts: Mapping[str, float], dealt: Sequence[tuple[Cluster, str]]) -> dict[str, int]:
    """How many of these clusters go to each split, in this order: a cluster goes where its middle lies."""
    given = Counter({split: 0 for split in parts})
    for cluster, split in dealt:
        given[split] += len(cluster.members)
    total = sum(sizes) + given.total()
    needs = {split: max(part * total - given[split], 0) for split, part in parts.items()}
    middles = [sum(sizes[:number]) + size / 2 for number, size in enumerate(sizes)]
    counts, start, border = {}, 0, 0.0
    for split, need in needs.items():
        border += need * sum(sizes) / sum(needs.values())
        counts[split] = sum(middle < border for middle in middles[start:])
        start += counts[split]
    counts["train"] += len(sizes) - start  # lost to rounding
    return counts


def _spread(counts: dict[str, int], present: set[str], rest: int) -> None:
    """Give each split that would stay empty a cluster, as far as those still to be dealt, `rest`, are too few."""
    empty = [split for split in ("train", *HELD_OUT) if split in counts and split not in present and not counts[split]]
    for split in empty[: max(len(empty) - rest, 0)]:
        givers = [other for other, count in counts.items() if count > (other not in present)]
        if givers:
            counts[max(givers, key=lambda other: counts[other])] -= 1
            counts[split] += 1


def absences(entries: Sequence[Entry], clusters: Sequence[int]) -> list[str]:
    """A line for each class that is not in every split."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        members[entry.label].append(index)
    splits = {str(entry.split) for entry in entries}
    lines = []
    for label, mine in sorted(members.items()):
        objects = len({clusters[index] for index in mine})
        if missing := sorted(splits - {str(entries[index].split) for index in mine}):
            have = f"{counted(objects, 'object')} ({counted(len(mine), 'image')})"
            lines.append(f"{label} has {have}, none in {' and '.join(missing)}")
    return lines


def follow(
    entries: Sequence[Entry],
    hashes: Sequence[str],
    clusters: Sequence[int],
    known: Mapping[str, str],
    *,
    shares: Shares,
    seed: int,
) -> tuple[list[Entry], list[str]]:
    """Splits as in an earlier run, and what to tell the user; `known` is the split of each file's SHA-256 there.

    Nothing known moves. A new picture follows the known ones of its cluster, to training where these are in several
    splits; a new cluster is dealt by its hash.
    """
    wanted = shares.of(["val"] if "test" not in known.values() else HELD_OUT)
    chosen: dict[int, str] = {}
    notes = []
    fresh = []
    for cluster in gather(entries, hashes, clusters, range(len(entries)), seed):
        old = {known[hashes[index]] for index in cluster.members if hashes[index] in known}
        new = [index for index in cluster.members if hashes[index] not in known]
        if not old:
            fresh.append(cluster)
            continue
        chosen.update((index, old.copy().pop() if len(old) == 1 else "train") for index in new)
        if new and len(old) > 1:
            named = ", ".join(str(entries[index].path) for index in new)
            notes.append(f"{named} shows the same object as images of {' and '.join(sorted(old))}: it goes to training")
    chosen.update(
        _deal_fresh(fresh, {entry.label for entry, key in zip(entries, hashes, strict=True) if key in known}, wanted)
    )
    result = [replace(entry, split=known.get(hashes[index]) or chosen[index]) for index, entry in enumerate(entries)]
    return result, notes


def _deal_fresh(clusters: Sequence[Cluster], known_labels: set[str], shares: Mapping[str, float]) -> dict[int, str]:
    """New clusters of known classes go where their hash says, so that each may come alone; new classes are dealt."""
    dealt = _deal([cluster for cluster in clusters if cluster.label not in known_labels], shares)
    for cluster in clusters:
        if cluster.label in known_labels:
            dealt.update((index, _split_at(cluster.position, shares)) for index in cluster.members)
    return dealt


def _split_at(position: float, shares: Mapping[str, float]) -> str:
    border = 0.0
    for split, share in shares.items():
        border += share
        if position < border:
            return split
    return "train"
