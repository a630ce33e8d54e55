"""Where labelled images come from: folders or a CSV in, one `Entry` per image file out.

Three layouts are understood:
  data/<class>/*.jpg                    a folder per class; the split is made here
  data/{train,val|valid,test}/<class>/  split folders, each with a folder per class
  data.csv                              columns path, label[, split][, group]; paths relative to the CSV
"""

import csv
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.text import is_writable, printable
from dataset.errors import DataError

SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
SPLITS = ("train", "val", "test")
_NOT_DATA = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One image file and its label. Entries that share a `group` must stay in one split."""

    path: Path
    label: str
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """What was found: entries, sorted by path; notes for the user; and display names by label."""

    entries: list[Entry]
    notes: list[str]
    names: dict[str, str]


def read_source(source: Path, *, classes: Sequence[str] = (), min_images: int = 0, names: Path | None = None) -> Source:
    """Shim."""
    return Source(entries=_read_source(source), notes=[], names={})


def _read_source(source: Path) -> list[Entry]:
    """Every labelled file of `source` (a folder or a CSV), sorted by path. Raises `DataError`."""
    is_csv = source.is_file() and source.suffix.lower() == ".csv"
    entries = _read_csv(source) if is_csv else _read_folder(source)
    _check_names(entries)
    _check_classes(source, entries)
    return entries


def _read_folder(source: Path) -> list[Entry]:
    if not source.is_dir():
        raise DataError(
            f"{source} is neither a folder nor a CSV file; set DATA to a folder with a subfolder for each class"
        )
    splits = {
        SPLIT_NAMES[folder.name.lower()]: folder for folder in _folders(source) if folder.name.lower() in SPLIT_NAMES
    }
    return _read_split_folders(source, splits) if "train" in splits else _read_class_folders(source, None)


def _read_split_folders(source: Path, splits: dict[str, Path]) -> list[Entry]:
    if "val" not in splits and "test" not in splits:
        raise DataError(
            f"{source} has train/ but neither val/ (or valid/) nor test/; "
            "add one of them, or use class folders without splits"
        )
    return [entry for split in SPLITS if split in splits for entry in _read_class_folders(splits[split], split)]


def _read_class_folders(folder: Path, split: str | None) -> list[Entry]:
    classes = _folders(folder)
    if not classes:
        raise DataError(f"{folder} has no class folders; expected a subfolder with images for each class")
    empty = [str(path) for path in classes if not _files(path)]
    if empty:
        raise DataError(f"class folders without files: {', '.join(empty)}; add images or remove the folders")
    return [Entry(path=file, label=path.name, split=split) for path in classes for file in _files(path)]


def _check_names(entries: list[Entry]) -> None:
    """Paths and classes are written to the split's CSV, to the report and into the bundle, all of them UTF-8."""
    bad = [name for entry in entries for name in (str(entry.path), entry.label) if not is_writable(name)]
    if bad:
        raise DataError(
            f"{len(bad)} file or folder names are not UTF-8, the first is {printable(bad[0])}; rename them, "
            "or unpack the archive again in its own encoding, such as: unzip -O gbk archive.zip"
        )


def _check_classes(source: Path, entries: list[Entry]) -> None:
    """At least two classes, and each of them in every split. Raises `DataError` with all that is missing."""
    labels = sorted({entry.label for entry in entries})
    if len(labels) < 2:
        raise DataError(f"{source} has only one class ({labels[0]}); expected at least two")
    present = Counter((entry.split, entry.label) for entry in entries)
    splits = sorted({entry.split for entry in entries}, key=str)
    missing = [f"{split} has no {label}" for split in splits for label in labels if not present[split, label]]
    if missing:
        raise DataError(f"every class must be in every split of {source}: {'; '.join(missing)}")


def _read_csv(source: Path) -> list[Entry]:
    with source.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not {"path", "label"} <= set(reader.fieldnames or []):
            raise DataError(f"{source} has columns {reader.fieldnames}; expected path,label and optionally split,group")
        entries = [_csv_entry(source, number, row) for number, row in enumerate(reader, start=2)]
    if not entries:
        raise DataError(f"{source} has no images; expected one line for each image: path,label")
    if len({entry.split is None for entry in entries}) > 1:
        raise DataError(f"{source} has a split for some images only; fill in the column for all images or for none")
    return sorted(entries, key=lambda entry: entry.path)


def _csv_entry(source: Path, number: int, row: dict[str, str]) -> Entry:
    split = (row.get("split") or "").strip().lower()
    if split and split not in SPLIT_NAMES:
        raise DataError(f"{source} line {number}: split {split!r}; expected train, val or test")
    if not row["path"] or not row["label"]:
        raise DataError(f"{source} line {number}: path or label is missing; expected both")
    path = Path(os.path.normpath(source.parent / row["path"]))
    return Entry(path=path, label=row["label"], split=SPLIT_NAMES.get(split), group=row.get("group") or None)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(folder: Path) -> list[Path]:
    """Everything in a class folder that is meant to be an image; what isn't one must not pass in silence."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.name.lower() not in _NOT_DATA
    )
