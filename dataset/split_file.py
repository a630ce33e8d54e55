"""A split on disk: a table that `DATA=` and `SPLIT=` accept, with the hash and the cluster of each image."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.atomic import write_text_atomically
from dataset.errors import DataError

COLUMNS = ("path", "label", "split", "sha256", "cluster")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One image of the set: the index of its class, its file's SHA-256, and the number of its cluster.

    The images of a cluster show the same object. `cluster` is None where the split was written before there were any.
    """

    path: Path
    target: int
    sha256: str = ""
    cluster: int | None = None


def write_split_csv(labels: Sequence[str], splits: Mapping[str, Sequence[Example]], path: Path) -> None:
    """The split as a table, with paths relative to it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for split, examples in splits.items():
        for example in examples:
            relative = Path(os.path.relpath(example.path, path.parent)).as_posix()
            writer.writerow([relative, labels[example.target], split, example.sha256, example.cluster])
    write_text_atomically(path, text.getvalue())


def read_split_csv(path: Path, labels: Sequence[str], split: str) -> list[Example]:
    """The images of one split, as `write_split_csv` wrote them."""
    return [
        Example(
            path=Path(os.path.normpath(path.parent / row["path"])),
            target=labels.index(row["label"]),
            sha256=row["sha256"],
            cluster=int(row["cluster"]) if row.get("cluster") else None,
        )
        for row in _rows(path)
        if row["split"] == split
    ]


def read_known_splits(path: Path) -> dict[str, str]:
    """The split of each image of an earlier run, by the SHA-256 of its file. Raises `DataError`."""
    try:
        known = {row["sha256"]: row["split"] for row in _rows(path)}
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; expected the split.csv of an earlier run") from None
    except (KeyError, ValueError, csv.Error) as error:
        raise DataError(
            f"{path} is not the split.csv of a run ({error}); expected columns {','.join(COLUMNS[:4])}"
        ) from error
    if not known or not set(known.values()) <= {"train", "val", "test"}:
        raise DataError(f"{path} has no images with a split; expected the split.csv of an earlier run")
    return known


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)
