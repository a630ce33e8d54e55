"""Labelled images in, those of one split out, to measure a model on: nothing is split here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dataset.clusters import find_clusters
from dataset.errors import DataError
from dataset.pictures.inspection import inspect_images, refuse_unreadable
from dataset.reading.entries import Entry
from dataset.reading.sources import read_source
from dataset.split_file import Example

Part = Literal["auto", "train", "val", "test", "all"]


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """The images, which part of the source they are, and notes on how it was understood and what was left out."""

    examples: list[Example]
    part: str
    notes: list[str]


def read_labelled(
    source: Path,
    labels: Sequence[str],
    *,
    part: Part = "auto",
    classes: Sequence[str] = (),
    skip_unreadable: bool = False,
    near_duplicates: float,
) -> Labelled:
    """The images of `source` for a model that knows the classes `labels`. Raises `DataError`.

    Part "auto" is the test split if the source has one, else val, else everything.
    """
    found = read_source(source, classes=classes, to_train=False, skip_missing=skip_unreadable)
    _check_known(source, found.entries, labels)
    inspection = inspect_images([entry.path for entry in found.entries])
    if not skip_unreadable:
        refuse_unreadable(inspection.unreadable)
    entries = [entry for entry in found.entries if entry.path in inspection.pictures]
    clusters = find_clusters(entries, inspection.pictures, near_duplicates)
    chosen = _choose(source, entries, part)
    examples = [
        Example(
            path=entry.path,
            target=labels.index(entry.label),
            sha256=inspection.pictures[entry.path].sha256,
            cluster=cluster,
        )
        for entry, cluster in zip(entries, clusters, strict=True)
        if chosen in ("all", entry.split)
    ]
    skipped = [f"{len(inspection.unreadable)} unreadable files were skipped"] if inspection.unreadable else []
    return Labelled(examples=examples, part=chosen, notes=[*found.notes, *inspection.notes, *skipped])


def _check_known(source: Path, entries: Sequence[Entry], labels: Sequence[str]) -> None:
    if unknown := sorted({entry.label for entry in entries} - set(labels)):
        raise DataError(
            f"{source} has classes that the model does not know: {', '.join(unknown)}; it knows {', '.join(labels)}. "
            "Rename the folders, or choose the known ones with CLASSES="
        )


def _choose(source: Path, entries: Sequence[Entry], part: Part) -> str:
    """The split to measure. Raises `DataError` where there is none of it."""
    present = {entry.split for entry in entries}
    if part == "auto":
        return next((split for split in ("test", "val") if split in present), "all")
    if part != "all" and part not in present:
        there = ", ".join(sorted(split for split in present if split)) or "no splits"
        raise DataError(f"{source} has no images of the split {part}; it has {there}")
    return part
