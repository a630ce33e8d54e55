"""A table of labelled images in, an entry for each row out; all mistakes are named at once, with their lines."""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contract.text import counted
from dataset.errors import DataError
from dataset.reading.entries import Entry, as_label, has_controls, split_of
from dataset.reading.text_files import read_text

SHOWN = 20
SEPARATORS = ",;\t|"
# What people call the columns. Others are left out with a note, except those that our own split.csv has.
SYNONYMS = {
    "path": (
        *("paths", "file", "files", "filename", "filenames", "filepath", "fname", "picture", "photo"),
        *("image", "images", "imagepath", "imagefile", "imagefilename", "imagename", "img", "imgpath", "imgname"),
        *("图片", "图像", "照片", "文件", "文件名", "路径", "图片路径", "图像路径", "文件路径"),
    ),
    "label": (
        *("labels", "labelname", "class", "classes", "classname", "classlabel", "category", "categories"),
        *("categoryname", "target", "species", "disease", "标签", "类别", "分类", "种类", "病害"),
    ),
    "split": ("set", "subset", "partition", "划分"),
    "group": ("object", "groupid", "cluster", "组"),  # "cluster" is what our own split.csv has
}
OURS = {"sha256", "proposed", "suspicious", "probability"}


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
    with_split: list[int] = field(default_factory=list)
    without_split: list[int] = field(default_factory=list)
    broken: int = 0

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
    _check_splits(table)
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
    if table.broken:
        table.notes.append(f"line breaks or tabs read as blanks: {counted(table.broken, 'label')} of {path.name}")
    if not entries:
        raise DataError(f"{path} has no images; expected one line for each image: path,label")
    return sorted(entries, key=lambda entry: entry.path), table.notes


def _rows(table: Table) -> Iterator[Row]:
    """The rows with something in them, cells stripped, under the names of our columns."""
    text, note = read_text(table.path)
    separator = _separator(table.path, text)
    table.notes += [note] if note else []
    if separator != ",":
        table.notes.append(f"{table.path.name} has its cells separated by {_spelled(separator)}")
    numbered = _numbered(table, text, separator)
    first = next(numbered, None)
    if first is None:
        table.raise_for_problems()
        raise DataError(f"{table.path} is empty; expected a header path,label and a line for each image")
    columns = _columns(table, first[1])
    if columns is None:
        columns = _columns_without_header(table, first[1])
        yield from _row(table, columns, *first)
    for line, cells in numbered:
        yield from _row(table, columns, line, cells)


def _numbered(table: Table, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with the line in which each begins: a quoted cell may hold line breaks.

    A quote that is not closed would swallow the rows that follow, so it is a mistake, and the last that is noted.
    """
    closed = re.sub(rf'" +(?=[{re.escape(separator)}\r\n]|$)', '"', text)  # no blanks behind a quoted cell
    reader = csv.reader(io.StringIO(closed, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    line = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not (len(cells) <= 2 and stripped[0].startswith("sep=")):
                yield line, stripped
            line = reader.line_num + 1
    except csv.Error as error:
        table.problem(line, f"a quote is not closed, or a cell is far too long ({error}); the rest was not looked at")


def _separator(table: Path, text: str) -> str:
    """What divides the cells: Excel writes semicolons where the comma is for decimals."""
    for line in text.splitlines():
        if line.startswith("sep=") and len(line) == 5:
            return line[4]
        if line.strip(f" \t{SEPARATORS}"):
            commonest = sorted(SEPARATORS, key=line.count, reverse=True)
            return next((separator for separator in commonest if _divides(table, line, separator)), commonest[0])
    return ","


def _divides(table: Path, line: str, separator: str) -> bool:
    """Whether a first line has our columns, or begins with a file, when it is divided so."""
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]
    names = {_plain(cell) for cell in cells}
    headed = all(names & {column, *SYNONYMS[column]} for column in ("path", "label"))
    return headed or (len(cells) > 1 and _locate(table, cells[0]) is not None)


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
    if 2 <= len(cells) <= 3 and cells[0] and _locate(table.path, cells[0]):
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
    """The row's entry, or None with all its mistakes noted."""
    path, label, split = row.cells["path"], as_label(row.cells["label"]), row.cells.get("split", "")
    (table.with_split if split else table.without_split).append(row.line)
    table.broken += len(row.cells["label"].splitlines()) > 1 or "\t" in row.cells["label"]
    mistakes = _mistakes(path, label, split)
    for mistake in mistakes:
        table.problem(row.line, mistake)
    found = _locate(table.path, path) if path else None
    if path and found is None and (not table.classes or label in table.classes):
        table.missing.append((row.line, f"{path} {_why_missing(table.path.parent / path)}"))
    if mistakes or found is None:
        return None
    return Entry(path=found, label=label, split=split_of(split), group=row.cells.get("group") or None)


def _mistakes(path: str, label: str, split: str) -> list[str]:
    checks = {
        "path or label is missing; expected both": not path or not label,
        f"the label {label!r} has control characters; remove them": has_controls(label),
        f"split {split!r}; expected train, val or test": bool(split) and split_of(split) is None,
    }
    return [mistake for mistake, made in checks.items() if made]


def _locate(table: Path, text: str) -> Path | None:
    """The file that a cell means: relative to the table, with slashes or backslashes, é written either way."""
    written = os.path.normpath(table.parent / text)
    turned = os.path.normpath(table.parent / text.replace("\\", "/"))
    candidates = [written, turned, *(unicodedata.normalize(form, turned) for form in ("NFC", "NFD"))]
    return next((Path(path) for path in candidates if os.path.isfile(path)), None)


def _why_missing(path: Path) -> str:
    try:
        path.stat()
    except PermissionError:
        return "may not be opened; change the permissions of its folder"
    except (OSError, ValueError):
        pass
    return "does not exist, seen from the table's folder, or is no file"


def _check_splits(table: Table) -> None:
    """All rows have a split, or none has."""
    if table.with_split:
        for line in table.without_split:
            table.problem(line, "the split is missing, and other rows have one; fill in the column for all or for none")


def _check_paths(table: Table, entries: Mapping[Entry, int]) -> None:
    """One file has one label, split and group."""
    first: dict[Path, int] = {}
    for entry, line in entries.items():
        if entry.path in first:
            table.problem(line, f"{entry.path.name} has another label, split or group in line {first[entry.path]}")
        first.setdefault(entry.path, line)
