"""Labelled images in, a checked and split `DataSet` out."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from contract import ClassLabel
from dataset.clusters import find_clusters
from dataset.config import DataOptions
from dataset.errors import DataError
from dataset.pictures.cache import Picture
from dataset.pictures.inspection import inspect_images, refuse_unreadable
from dataset.reading.entries import SPLITS, Entry
from dataset.reading.sources import read_source
from dataset.split_file import Example, read_known_splits
from dataset.splits import Shares, assign_splits, follow
from dataset.warnings import warnings_about, warnings_about_split


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Images by split, the classes in index order, what to tell the user, and a hash of all of it.

    `warnings` are about what makes figures wrong, those of `split_warnings` about the split alone; `notes` say what was
    left out and how the input was understood.
    `clusters` are the images that show the same object, where there are several, whatever their splits and classes.
    `pictures` holds what was found in each image.
    """

    classes: tuple[ClassLabel, ...]
    splits: dict[str, list[Example]]
    warnings: list[str]
    split_warnings: list[str]
    notes: list[str]
    fingerprint: str
    clusters: list[list[Example]] = field(repr=False)
    pictures: dict[Path, Picture] = field(repr=False)

    @property
    def labels(self) -> list[str]:
        """The classes' labels, in index order."""
        return [entry.label for entry in self.classes]

    @property
    def depth(self) -> int:
        """How many bits the 16-bit grey files of the set use: 8, 10, 12, 14 or 16, as sensors have them."""
        most = max((picture.bits for picture in self.pictures.values() if picture.bits), default=16)
        return most + most % 2

    def count(self, split: str) -> dict[str, int]:
        """How many images each class has in `split`."""
        counts = Counter(example.target for example in self.splits[split])
        return {label: counts[index] for index, label in enumerate(self.labels)}

    def in_folds(self) -> "DataSet":
        """The same for what holds out each image once: warnings about the split don't apply."""
        return replace(self, warnings=[each for each in self.warnings if each not in self.split_warnings])

    def touched(self, split: str) -> list[bool]:
        """Of each image of `split`, whether one of another split shows the same object."""
        elsewhere = {
            example.cluster for other, examples in self.splits.items() if other != split for example in examples
        }
        return [example.cluster in elsewhere for example in self.splits[split]]


def load_data(options: DataOptions) -> DataSet:
    """Read, inspect, cluster and split the images. Raises `DataError`."""
    source = read_source(
        options.data,
        classes=options.chosen_classes,
        min_images=options.min_images,
        names=options.names,
        skip_missing=options.skip_unreadable,
    )
    labels = sorted({entry.label for entry in source.entries})
    inspection = inspect_images([entry.path for entry in source.entries])
    if not options.skip_unreadable:
        refuse_unreadable(inspection.unreadable)
    entries = [entry for entry in source.entries if entry.path in inspection.pictures]
    hashes = [inspection.pictures[entry.path].sha256 for entry in entries]
    clusters = find_clusters(entries, inspection.pictures, options.near_duplicates)
    entries, moved = _split(options, entries, hashes, clusters)
    _check_training(options.data, entries, labels)
    examples = [
        Example(path=entry.path, target=labels.index(entry.label), sha256=sha256, cluster=cluster)
        for entry, sha256, cluster in zip(entries, hashes, clusters, strict=True)
    ]
    classes = tuple(ClassLabel(label=label, display_name=source.names.get(label, label)) for label in labels)
    split_warnings = warnings_about_split(entries, clusters)
    return DataSet(
        classes=classes,
        splits=_by_split(entries, examples),
        warnings=[*warnings_about(entries, hashes, clusters, inspection.unreadable), *split_warnings],
        split_warnings=split_warnings,
        notes=[*source.notes, *inspection.notes, *moved],
        fingerprint=_fingerprint(entries, hashes, classes),
        clusters=_several(examples),
        pictures=inspection.pictures,
    )


def _split(
    options: DataOptions, entries: list[Entry], hashes: list[str], clusters: list[int]
) -> tuple[list[Entry], list[str]]:
    shares = Shares.parse(options.shares)
    if options.split is None:
        return assign_splits(entries, hashes, clusters, shares=shares, seed=options.seed), []
    if any(entry.split for entry in entries):
        raise DataError(
            f"{options.data} has splits of its own; leave SPLIT={options.split} away, or give it without them"
        )
    known = read_known_splits(options.split)
    return follow(entries, hashes, clusters, known, shares=shares, seed=options.seed)


def _by_split(entries: Sequence[Entry], examples: Sequence[Example]) -> dict[str, list[Example]]:
    splits: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for entry, example in zip(entries, examples, strict=True):
        splits[str(entry.split)].append(example)
    return {split: found for split, found in splits.items() if found}


def _several(examples: Sequence[Example]) -> list[list[Example]]:
    members: dict[int | None, list[Example]] = defaultdict(list)
    for example in examples:
        members[example.cluster].append(example)
    return sorted((found for found in members.values() if len(found) > 1), key=len, reverse=True)


def _check_training(source: Path, entries: list[Entry], labels: list[str]) -> None:
    """Every class needs images to train on, and there must be some to validate with. Raises `DataError`."""
    present = {entry.label for entry in entries if entry.split == "train"}
    if not any(entry.split == "val" for entry in entries):
        raise DataError(
            f"{source} has nothing to validate on: each class shows one object only, as far as the images tell. "
            "Add images of other objects; if they are different objects that look alike: ARGS='--near-duplicates 1'"
        )
    if missing := [label for label in labels if label not in present]:
        raise DataError(
            f"{source} has no readable training images of {', '.join(missing)}; add images or repair the files"
        )


def _fingerprint(entries: Sequence[Entry], hashes: Sequence[str], classes: Sequence[ClassLabel]) -> str:
    """SHA-256 over each image's content, label and split, and the display names; no path is in it."""
    rows = sorted(f"{sha256} {entry.label} {entry.split}" for entry, sha256 in zip(entries, hashes, strict=True))
    names = [f"{entry.label} {entry.display_name}" for entry in classes]
    return hashlib.sha256("\n".join(rows + names).encode()).hexdigest()
