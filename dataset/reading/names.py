"""Display names of classes: found beside the images or given, in any of the forms in which people keep them."""

import csv
import io
import json
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from contract import ClassLabel
from contract.atomic import write_text_atomically
from contract.text import is_writable, printable
from dataset.errors import DataError
from dataset.reading.entries import as_label, has_controls
from dataset.reading.text_files import read_text

NAMES_FILES = ("names.json", "names.csv")
INDEX_FILE = "class_indices.json"


def read_names(
    folders: Sequence[Path], given: Path | None, labels: Sequence[str], left_out: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """The display name of each label, {} where there are none, and notes. Raises `DataError`.

    The file is `given`, or names.json or names.csv in one of `folders`: an object or a table of class -> name. The
    names may also stand under the numbers of the classes, as in a training program that keeps the numbers in
    class_indices.json.
    `left_out` are classes that may be named although they are not used.
    """
    found = [given] if given else _files(folders, NAMES_FILES)
    path = found[0] if found else None
    numbers = _read_numbers([given.parent, *folders] if given else folders)
    if path is None:
        return _names_from_numbers(numbers, labels), []
    table, note = _read(path)
    named = _by_class(path, table, numbers, labels)
    missing = sorted(set(labels) - set(named))
    unknown = sorted(set(named) - set(labels) - set(left_out))
    if missing or unknown:
        raise DataError(
            f"{path} must have exactly the classes of the images; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    others = [f"{other} was left out, as the names are in {path}" for other in found[1:]]
    return {label: named[label] for label in labels}, [note, *others] if note else others


def _files(folders: Sequence[Path], names: Sequence[str]) -> list[Path]:
    return [folder / name for folder in folders for name in names if (folder / name).is_file()]


def write_names(classes: Sequence[ClassLabel], folder: Path) -> None:
    """Write names.json, so that the names travel with the split.csv beside it; nothing if the names are the labels."""
    names = {entry.label: entry.display_name for entry in classes}
    if any(label != name for label, name in names.items()):
        write_text_atomically(folder / NAMES_FILES[0], json.dumps(names, ensure_ascii=False, indent=2) + "\n")


def _read(path: Path) -> tuple[dict[str, str], str]:
    text, note = read_text(path)
    pairs = _parse_json(path, text) if path.suffix.lower() == ".json" else _parse_lines(text)
    table = {as_label(str(key)): as_label(value) for key, value in pairs if isinstance(value, str)}
    keys = Counter(as_label(str(key)) for key, _ in pairs)
    if twice := [key for key, count in keys.items() if count > 1]:
        raise DataError(f"{path} names these classes more than once: {', '.join(twice)}; keep one name for each")
    if not pairs or len(table) < len(pairs) or not all(table.values()):
        raise DataError(f"{path} is not valid; expected a JSON object of class -> display name (both text)")
    if bad := [label for label, name in table.items() if not is_writable(name) or has_controls(name)]:
        raise DataError(
            f"{path} has a display name with control characters, or that is not valid Unicode, for "
            f"{printable(bad[0])}; correct it"
        )
    return table, note


class Pairs:
    """A JSON object with all its keys, as a dictionary would silently drop those that stand there twice."""

    def __init__(self, pairs: list[tuple[object, object]]) -> None:
        self.content = pairs


def _parse_json(path: Path, text: str) -> list[tuple[object, object]]:
    try:
        content = json.loads(text, object_pairs_hook=Pairs)
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}); expected an object of class -> display name") from error
    if isinstance(content, list):
        return list(enumerate(content))
    if not isinstance(content, Pairs):
        raise DataError(f"{path} is not valid; expected a JSON object of class -> display name (both text)")
    return content.content


def _parse_lines(text: str) -> list[tuple[object, object]]:
    """`class,name` or `0 name`, a line each, with or without a header."""
    lines = [line for line in text.splitlines() if line.strip()]
    separator = next((mark for mark in (",", ";", "\t") if lines and mark in lines[0]), " ")
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, skipinitialspace=True))
    pairs: list[tuple[object, object]] = [(row[0], separator.join(row[1:])) for row in rows]
    return pairs[1:] if pairs and [str(cell).strip().lower() for cell in pairs[0]] in HEADERS else pairs


HEADERS = (["label", "name"], ["class", "name"], ["label", "display_name"], ["index", "name"])


def _read_numbers(folders: Sequence[Path]) -> dict[str, str]:
    """Number -> class, as training programs write it, in either direction; {} without such a file."""
    found = _files(folders, [INDEX_FILE])
    if not found:
        return {}
    path = found[0]
    text, _ = read_text(path)
    content = _parse_json(path, text)
    pairs = [(str(key), str(value)) for key, value in content]
    by_key = all(key.isdecimal() for key, _ in pairs) and not all(isinstance(value, int) for _, value in content)
    if not by_key and all(value.isdecimal() for _, value in pairs):
        pairs = [(value, key) for key, value in pairs]
    return {number: as_label(label) for number, label in pairs}


def _by_class(path: Path, table: dict[str, str], numbers: dict[str, str], labels: Sequence[str]) -> dict[str, str]:
    """The names by class, also where the table has them by number. Raises `DataError` where it could be either."""
    numbered = {numbers[number]: name for number, name in table.items()} if set(table) <= set(numbers) else {}
    if not set(labels) <= set(table):
        return numbered or table
    if set(labels) <= set(numbered) and numbered != table:
        raise DataError(
            f"{path} names the classes, or their numbers in {INDEX_FILE}: it can't be told, as the classes are called "
            f"by numbers too. Name the classes there, and move {INDEX_FILE} away"
        )
    return table


def _names_from_numbers(numbers: dict[str, str], labels: Sequence[str]) -> dict[str, str]:
    """Where the classes are called by their numbers, the file of numbers tells what they are."""
    return {label: numbers[label] for label in labels} if numbers and set(labels) <= set(numbers) else {}
