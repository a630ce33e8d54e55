"""Where labelled images come from: a folder or a table in, one entry for each image file out."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from contract.text import printable
from dataset.errors import DataError
from dataset.reading.entries import Entry, Source
from dataset.reading.folders import read_folder
from dataset.reading.names import read_names
from dataset.reading.tables import read_table

TABLES = {".csv", ".tsv", ".txt"}
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z"}
WORKBOOKS = {".xlsx", ".xls", ".xlsm", ".ods", ".numbers"}


def read_source(
    source: Path,
    *,
    classes: Sequence[str] = (),
    min_images: int = 0,
    names: Path | None = None,
    to_train: bool = True,
    skip_missing: bool = False,
) -> Source:
    """Every labelled file of `source`. Raises `DataError`.

    `classes` are those to keep, all if it is empty, and of these only those with at least `min_images`. `names` is a
    file with display names; without it, one beside the images is used. Rows of a table whose file is not there are a
    mistake, or are left out with a note where `skip_missing` says so. Where it is not `to_train`, one class is enough,
    it need not be in every split, and display names are not read: the model has its own.
    """
    wanted = [unicodedata.normalize("NFC", label) for label in classes]
    entries, notes, folders = _read(source, wanted, names, skip_missing)
    _refuse_lookalikes(source, entries)
    entries, left_out = _choose(source, entries, set(wanted), min_images)
    if left_out:
        listed = ", ".join(f"{label} ({count} images)" for label, count in sorted(left_out.items()))
        notes = [*notes, f"these classes were left out, as asked: {listed}"]
    labels = sorted({entry.label for entry in entries})
    _check_count(source, labels, 2 if to_train else 1)
    display_names: dict[str, str] = {}
    named: list[str] = []
    if to_train:
        _check_splits(source, entries, labels)
        display_names, named = read_names(folders, names, labels, left_out)
    return Source(entries=entries, notes=[printable(note) for note in (*notes, *named)], names=display_names)


def _read(
    source: Path, classes: Sequence[str], names: Path | None, skip_missing: bool
) -> tuple[list[Entry], list[str], list[Path]]:
    if source.is_dir():
        return read_folder(source, names)
    if source.is_file() and source.suffix.lower() in TABLES:
        return *read_table(source, classes=classes, skip_missing=skip_missing), [source.parent]
    raise DataError(f"{source} {_what_to_do(source)}")


def _what_to_do(source: Path) -> str:
    suffix = source.suffix.lower()
    if source.is_file() and suffix in ARCHIVES:
        return (
            "is an archive; unpack it and set DATA to the folder (file names from Chinese Windows: "
            "unzip -O gbk archive.zip)"
        )
    if source.is_file() and suffix in WORKBOOKS:
        return "is a workbook; save its sheet as CSV UTF-8 and set DATA to that file"
    return "is neither a folder nor a CSV file; set DATA to a folder with a subfolder for each class"


def _refuse_lookalikes(source: Path, entries: Sequence[Entry]) -> None:
    """Cat and cat are one class to a person, and to some file systems."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        spellings[_looks(entry.label)].add(entry.label)
    if alike := [sorted(found) for found in spellings.values() if len(found) > 1]:
        listed = "; ".join(" and ".join(found) for found in alike)
        raise DataError(f"{source} has classes that differ in their spelling only: {listed}; choose one spelling")


def _looks(label: str) -> str:
    """The same for labels that a person takes for the same."""
    seen = "".join(letter for letter in label if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", seen).casefold()


def _choose(
    source: Path, entries: Sequence[Entry], wanted: set[str], min_images: int
) -> tuple[list[Entry], dict[str, int]]:
    """The entries to keep, and how many images each class has that is left out."""
    counts = Counter(entry.label for entry in entries)
    if unknown := sorted(wanted - set(counts)):
        raise DataError(f"{source} has no class {', '.join(unknown)}; it has {', '.join(sorted(counts))}")
    kept = {label for label, count in counts.items() if (not wanted or label in wanted) and count >= min_images}
    left_out = {label: count for label, count in counts.items() if label not in kept}
    return [entry for entry in entries if entry.label in kept], left_out


def _inside(source: Path, labels: Sequence[str]) -> str:
    """What to do if the only folder holds pictures and folders: it may be a class, or hold the classes."""
    inner = source / labels[0] if len(labels) == 1 else source
    if source.is_dir() and inner != source and inner.is_dir() and any(path.is_dir() for path in inner.iterdir()):
        return f"; if the folders in {labels[0]} are the classes, set DATA={inner}"
    return ""


def _check_count(source: Path, labels: Sequence[str], fewest: int) -> None:
    if len(labels) < fewest:
        found = f"only one class ({labels[0]})" if labels else "no class that is not left out"
        raise DataError(f"{source} has {found}; expected at least {fewest}{_inside(source, labels)}")


def _check_splits(source: Path, entries: Sequence[Entry], labels: Sequence[str]) -> None:
    """Each class in every split that was given. Raises `DataError` with all that is missing."""
    present = Counter((entry.split, entry.label) for entry in entries)
    splits = sorted({entry.split for entry in entries}, key=str)
    missing = [f"{split} has no {label}" for split in splits for label in labels if not present[split, label]]
    if missing:
        raise DataError(f"every class must be in every split of {source}: {'; '.join(missing)}")
