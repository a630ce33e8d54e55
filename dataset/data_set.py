"""A folder or CSV of labelled images in, a checked and split `DataSet` out."""

import csv
import hashlib
import io
import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from contract import ClassLabel
from contract.atomic import write_text_atomically
from contract.text import is_writable, printable
from dataset.errors import DataError
from dataset.inspection import describe_duplicates, describe_unreadable, inspect_images, refuse_unreadable, shorten
from dataset.sources import SPLITS, Entry, read_source
from dataset.splits import assign_splits

NAMES_FILE = "names.json"


@dataclass(frozen=True, kw_only=True)
class Example:
    """One image of the set, the index of its class, and the file's SHA-256 where it is known."""

    path: Path
    target: int
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Images by split, the classes in index order, what to warn of, and a hash of all of it."""

    classes: tuple[ClassLabel, ...]
    splits: dict[str, list[Example]]
    warnings: list[str]
    fingerprint: str

    @property
    def labels(self) -> list[str]:
        """The classes' labels, in index order."""
        return [entry.label for entry in self.classes]

    def count(self, split: str) -> dict[str, int]:
        """How many images each class has in `split`."""
        counts = Counter(example.target for example in self.splits[split])
        return {label: counts[index] for index, label in enumerate(self.labels)}


def load_data(source: Path, *, seed: int, skip_unreadable: bool = False, names: Path | None = None) -> DataSet:
    """Read, inspect and split the images of `source`. Raises `DataError`.

    Byte-identical files are kept in one split where the split is made here; where it was given, they are warned of.
    `names` is a JSON of class -> display name; without it, `names.json` in the folder is used if there.
    """
    entries = read_source(source)
    labels = sorted({entry.label for entry in entries})
    inspection = inspect_images([entry.path for entry in entries])
    if not skip_unreadable:
        refuse_unreadable(inspection.unreadable)
    entries = [
        replace(entry, group=entry.group or inspection.digests[entry.path])
        for entry in entries
        if entry.path in inspection.digests
    ]
    entries = assign_splits(entries, seed)
    _check_nothing_vanished(source, entries, labels)
    warnings = _warnings(entries, inspection.unreadable, describe_duplicates(entries, inspection.digests))
    return DataSet(
        classes=_read_names(source, labels, names),
        splits={
            split: examples for split in SPLITS if (examples := _examples(entries, labels, split, inspection.digests))
        },
        warnings=warnings,
        fingerprint=_fingerprint(entries, inspection.digests),
    )


def _examples(entries: list[Entry], labels: list[str], split: str, digests: dict[Path, str]) -> list[Example]:
    return [
        Example(path=entry.path, target=labels.index(entry.label), sha256=digests[entry.path])
        for entry in entries
        if entry.split == split
    ]


def _check_nothing_vanished(source: Path, entries: list[Entry], labels: list[str]) -> None:
    """Skipping unreadable files must not empty a class, or a split's share of one."""
    present = {(entry.split, entry.label) for entry in entries}
    missing = [
        f"{split} has no readable {label}"
        for split in sorted({str(entry.split) for entry in entries})
        for label in labels
        if (split, label) not in present
    ]
    if missing:
        raise DataError(f"{source} has too few readable images: {'; '.join(missing)}; add images or repair the files")


def _warnings(entries: list[Entry], unreadable: dict[Path, str], duplicates: list[str]) -> list[str]:
    warnings = []
    if unreadable:
        warnings.append(f"{len(unreadable)} unreadable files were skipped:\n{describe_unreadable(unreadable)}")
    if duplicates:
        listed = shorten([f"  {line}" for line in duplicates])
        warnings.append(
            f"{len(duplicates)} images occur more than once. Duplicates in different splits make the measured accuracy "
            f"too high; duplicates in different classes mean that a label is wrong. They are:\n{listed}"
        )
    if not any(entry.split == "test" for entry in entries):
        warnings.append(
            "There is no test split. The best epoch is chosen on the validation images, so their accuracy "
            "is a little too high."
        )
    return warnings


def _read_names(source: Path, labels: list[str], names: Path | None) -> tuple[ClassLabel, ...]:
    path = names or source / NAMES_FILE
    if names is None and not path.is_file():
        return tuple(ClassLabel(label=label, display_name=label) for label in labels)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}); expected an object of class -> display name") from error
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise DataError(f"{path} is not valid; expected a JSON object of class -> display name (both text)")
    if bad := [label for label, name in table.items() if not is_writable(name)]:
        raise DataError(f"{path} has a display name that is not valid Unicode, for {printable(bad[0])}; correct it")
    if set(table) != set(labels):
        missing, unknown = sorted(set(labels) - set(table)), sorted(set(table) - set(labels))
        raise DataError(
            f"{path} must have exactly the classes of {source}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    return tuple(ClassLabel(label=label, display_name=table[label]) for label in labels)


def _fingerprint(entries: list[Entry], digests: dict[Path, str]) -> str:
    """SHA-256 over every image's content, label and split; moving the folder does not change it."""
    rows = sorted(f"{digests[entry.path]} {entry.label} {entry.split}" for entry in entries)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def write_split_csv(data: DataSet, path: Path) -> None:
    """The split as a CSV that `DATA=` accepts: the same split again, whatever the seed."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["path", "label", "split", "sha256"])
    for split, examples in data.splits.items():
        for example in examples:
            relative = Path(os.path.relpath(example.path, path.parent)).as_posix()
            writer.writerow([relative, data.labels[example.target], split, example.sha256])
    write_text_atomically(path, text.getvalue())


def read_split_csv(path: Path, labels: list[str], split: str) -> list[Example]:
    """The images of one split, as `write_split_csv` wrote them."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Example(
                path=Path(os.path.normpath(path.parent / row["path"])),
                target=labels.index(row["label"]),
                sha256=row["sha256"],
            )
            for row in csv.DictReader(file)
            if row["split"] == split
        ]
