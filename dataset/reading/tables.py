"""A table of labelled images in, an entry for each row out; all mistakes are named at once, with their lines."""

import csv
import io
import os
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contract.text import counted
from dataset.errors import DataError
from dataset.reading.entries import Entry, as_label, split_of
from dataset.reading.text_files import decode_text

SHOWN = 20
SEPARATORS = ",;\t|"
# What people call the columns. Others are left out with a note, except those that our own split.csv has.
SYNONYMS = {
    "path": (
        "file",
        "filename",
        "filepath",
        "image",
        "imagepath",
        "imagefile",
        "img",
        "picture",
        "图片",
        "文件",
        "路径",
    ),
    "label": ("labels", "class", "classname", "category", "species", "disease", "标签", "类别"),
    "split": ("set", "subset", "partition", "划分"),
    "group": ("object", "groupid", "cluster", "组"),  # "cluster" is what our own split.csv has
}
OURS = {"sha256"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cells by column, and the line of the file in which the row begins."""

    line: int
    cells: Mapping[str, str]


@dataclass
class Table:
    """A table while it is read. Only files of `classes`, or of all if it is empty, must be there."""

    path: Path
    classes: Collection[str] = ()
    notes: list[str] = field(default_factory=list)
    missing: list[tuple[int, str]] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def problem(self, line: int, what: str) -> None:
        """Note a mistake, and go on."""
        self.problems.append((line, what))

    def raise_for_problems(self) -> None:
        """Raise one `DataError` that lists every mistake."""
        if self.problems:
            lines = [f"line {line}: {what}" for line, what in sorted(self.problems)]
            more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
            listed = "\n".join(f"  {line}" for line in [*lines[:SHOWN], *more])
            if len(lines) == 1:
                raise DataError(f"{self.path} {lines[0]}")
            raise DataError(f"{self.path} has {len(self.problems)} mistakes:\n{listed}")


def read_table(
    path: Path, *, classes: Collection[str] = (), skip_missing: bool = False
) -> tuple[list[Entry], list[str]]:
    """The entries of a table, sorted by path, and notes. Raises `DataError`.

    Files that are not there are a mistake, unless they are of other classes than `classes` or to be skipped.
    """
    table = Table(path, classes)
    entries: dict[Entry, int] = {}
    repeated = 0
    for row in _rows(table):
        entry = _entry(table, row)
        if entry is not None:
            repeated += entry in entries
            entries.setdefault(entry, row.line)
    _check_paths(table, entries)
    if table.missing and skip_missing:
        line, what = table.missing[0]
        table.notes.append(
            f"skipped: {counted(len(table.missing), 'row')} of {path.name}, the first in line {line}: {what}"
        )
    else:
        table.problems += table.missing
    table.raise_for_problems()
    if repeated:
        table.notes.append(f"counted once: {counted(repeated, 'repeated row')} of {path.name}")
    if not entries:
        raise DataError(f"{path} has no images; expected one line for each image: path,label")
    if len({entry.split is None for entry in entries}) > 1:
        raise DataError(f"{path} has a split for some images only; fill in the column for all images or for none")
    return sorted(entries, key=lambda entry: entry.path), table.notes


def _rows(table: Table) -> Iterator[Row]:
    """The rows with something in them, cells stripped, under the names of our columns."""
    text, note = decode_text(table.path.read_bytes(), table.path.name)
    separator = _separator(text)
    table.notes += [note] if note else []
    if separator != ",":
        table.notes.append(f"{table.path.name} has its cells separated by {_spelled(separator)}")
    numbered = _numbered(text, separator)
    first = next(numbered, None)
    if first is None:
        raise DataError(f"{table.path} is empty; expected a header path,label and a line for each image")
    columns = _columns(table, first[1])
    if columns is None:
        columns = _columns_without_header(table, first[1])
        yield from _row(table, columns, *first)
    for line, cells in numbered:
        yield from _row(table, columns, line, cells)


def _numbered(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with the line in which each begins: a quoted cell may hold line breaks."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    line = 1
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if any(stripped) and not (len(cells) <= 2 and stripped[0].startswith("sep=")):
            yield line, stripped
        line = reader.line_num + 1


def _separator(text: str) -> str:
    """What divides the cells: Excel writes semicolons where the comma is for decimals."""
    for line in text.splitlines():
        if line.startswith("sep=") and len(line) == 5:
            return line[4]
        if line.strip(f" \t{SEPARATORS}"):
            return max(SEPARATORS, key=lambda separator: (line.count(separator), -SEPARATORS.index(separator)))
    return ","


def _spelled(separator: str) -> str:
    return {";": "semicolons", "\t": "tabs", "|": "bars"}.get(separator, repr(separator))


def _columns(table: Table, header: Sequence[str]) -> list[str | None] | None:
    """Our name of each column, None for those that are left out; None as a whole where this is no header."""
    names = [_plain(cell) for cell in header]
    found: dict[str, int] = {}
    for column, synonyms in SYNONYMS.items():
        exact = [index for index, name in enumerate(names) if name == column]
        places = exact or [index for index, name in enumerate(names) if name in synonyms]
        if len(places) > 1:
            raise DataError(
                f"{table.path} has several columns for the {column}: {', '.join(header[place] for place in places)}; "
                f"call one of them {column} and rename the others"
            )
        if places:
            found[column] = places[0]
            if not exact and names[places[0]] != "cluster":
                table.notes.append(f"the column {header[places[0]]} of {table.path.name} was read as the {column}")
    if not {"path", "label"} <= set(found):
        return None
    return _place(table, header, found)


def _place(table: Table, header: Sequence[str], found: Mapping[str, int]) -> list[str | None]:
    by_place = {place: column for column, place in found.items()}
    unknown = [cell for place, cell in enumerate(header) if place not in by_place and cell and _plain(cell) not in OURS]
    if unknown:
        table.notes.append(f"these columns of {table.path.name} were left out: {', '.join(unknown)}")
    return [by_place.get(place) for place in range(len(header))]


def _plain(cell: str) -> str:
    return "".join(letter for letter in cell.casefold() if letter.isalnum())


def _columns_without_header(table: Table, cells: Sequence[str]) -> list[str | None]:
    """A first row that begins with a file that is there is data: path, label and perhaps split."""
    if 2 <= len(cells) <= 3 and cells[0] and _locate(table.path, cells[0]).is_file():
        columns: list[str | None] = [*("path", "label", "split")[: len(cells)]]
        table.notes.append(f"{table.path.name} has no header; its columns were read as {','.join(map(str, columns))}")
        return columns
    raise DataError(
        f"{table.path} has columns {list(cells)}; expected path,label and optionally split,group "
        "(without a header, the first cell must be an image file)"
    )


def _row(table: Table, columns: Sequence[str | None], line: int, cells: Sequence[str]) -> Iterator[Row]:
    if len(cells) > len(columns) and any(cells[len(columns) :]):
        table.problem(line, f"{len(cells)} cells under {len(columns)} columns; put quotes around a cell with a comma")
    elif any("\0" in cell for cell in cells):
        table.problem(line, "a cell has a zero byte; the file is damaged or of another kind")
    else:
        filled = [*cells, *[""] * (len(columns) - len(cells))]
        yield Row(line=line, cells={name: cell for name, cell in zip(columns, filled, strict=False) if name})


def _entry(table: Table, row: Row) -> Entry | None:
    """The row's entry, or None with its mistake noted."""
    path, label, split = row.cells["path"], as_label(row.cells["label"]), row.cells.get("split", "")
    if not path or not label:
        table.problem(row.line, "path or label is missing; expected both")
    elif not label.isprintable():
        table.problem(row.line, f"the label {label!r} has control characters; remove them")
    elif split and split_of(split) is None:
        table.problem(row.line, f"split {split!r}; expected train, val or test")
    elif not (found := _locate(table.path, path)).is_file():
        if not table.classes or label in table.classes:
            table.missing.append((row.line, f"{path} does not exist, seen from the table's folder, or is no file"))
    else:
        return Entry(path=found, label=label, split=split_of(split), group=row.cells.get("group") or None)
    return None


def _locate(table: Path, text: str) -> Path:
    """The file that a cell means: relative to the table, with slashes or backslashes, é written either way."""
    written = Path(os.path.normpath(table.parent / text))
    candidates = [written, Path(os.path.normpath(table.parent / text.replace("\\", "/")))]
    candidates += [Path(unicodedata.normalize(form, str(candidates[1]))) for form in ("NFC", "NFD")]
    return next((path for path in candidates if path.exists()), written)


def _check_paths(table: Table, entries: Mapping[Entry, int]) -> None:
    """One file has one label, split and group."""
    first: dict[Path, int] = {}
    for entry, line in entries.items():
        if entry.path in first:
            table.problem(line, f"{entry.path.name} has another label, split or group in line {first[entry.path]}")
        first.setdefault(entry.path, line)
