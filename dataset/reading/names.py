"""Display names of classes: found beside the images or given, in any of the forms in which people keep them."""

import csv
import io
import json
from collections.abc import Collection, Sequence
from pathlib import Path

from contract import ClassLabel
from contract.atomic import write_text_atomically
from contract.text import is_writable, printable
from dataset.errors import DataError
from dataset.reading.entries import as_label
from dataset.reading.text_files import decode_text

NAMES_FILES = ("names.json", "names.csv")
INDEX_FILE = "class_indices.json"


def read_names(
    folder: Path, given: Path | None, labels: Sequence[str], left_out: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """The display name of each label, {} where there are none, and notes. Raises `DataError`.

    The file is `given`, or names.json or names.csv in `folder`: an object or a table of class -> name. The names may
    also stand under the numbers of the classes, as in a training program that keeps the numbers in class_indices.json.
    `left_out` are classes that may be named although they are not used.
    """
    path = given or next((folder / name for name in NAMES_FILES if (folder / name).is_file()), None)
    numbers = _read_numbers(folder, given)
    if path is None:
        return _names_from_numbers(numbers, labels), []
    table, note = _read(path)
    named = table if set(labels) <= set(table) else _by_number(table, numbers)
    missing = sorted(set(labels) - set(named))
    unknown = sorted(set(named) - set(labels) - set(left_out))
    if missing or unknown:
        raise DataError(
            f"{path} must have exactly the classes of the images; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    return {label: named[label] for label in labels}, [note] if note else []


def write_names(classes: Sequence[ClassLabel], folder: Path) -> None:
    """Write names.json, so that the names travel with the split.csv beside it; nothing if the names are the labels."""
    names = {entry.label: entry.display_name for entry in classes}
    if any(label != name for label, name in names.items()):
        write_text_atomically(folder / NAMES_FILES[0], json.dumps(names, ensure_ascii=False, indent=2) + "\n")


def _read(path: Path) -> tuple[dict[str, str], str]:
    text, note = decode_text(path.read_bytes(), path.name)
    pairs = _parse_json(path, text) if path.suffix.lower() == ".json" else _parse_lines(text)
    table = {as_label(str(key)): as_label(value) for key, value in pairs if isinstance(value, str)}
    if not pairs or len(table) < len(pairs) or not all(table.values()):
        raise DataError(f"{path} is not valid; expected a JSON object of class -> display name (both text)")
    if bad := [label for label, name in table.items() if not is_writable(name) or not name.isprintable()]:
        raise DataError(f"{path} has a display name that is not valid Unicode, for {printable(bad[0])}; correct it")
    return table, note


def _parse_json(path: Path, text: str) -> list[tuple[object, object]]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}); expected an object of class -> display name") from error
    if isinstance(content, list):
        return list(enumerate(content))
    if not isinstance(content, dict):
        raise DataError(f"{path} is not valid; expected a JSON object of class -> display name (both text)")
    return list(content.items())


def _parse_lines(text: str) -> list[tuple[object, object]]:
    """`class,name` or `0 name`, a line each, with or without a header."""
    lines = [line for line in text.splitlines() if line.strip()]
    separator = next((mark for mark in (",", ";", "\t") if lines and mark in lines[0]), " ")
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, skipinitialspace=True))
    pairs: list[tuple[object, object]] = [(row[0], separator.join(row[1:])) for row in rows]
    return pairs[1:] if pairs and [str(cell).strip().lower() for cell in pairs[0]] in HEADERS else pairs


HEADERS = (["label", "name"], ["class", "name"], ["label", "display_name"], ["index", "name"])


def _read_numbers(folder: Path, given: Path | None) -> dict[str, str]:
    """Number -> class, as training programs write it, in either direction; {} without such a file."""
    path = next((place / INDEX_FILE for place in _places(folder, given) if (place / INDEX_FILE).is_file()), None)
    if path is None:
        return {}
    text, _ = decode_text(path.read_bytes(), path.name)
    pairs = [(str(key), str(value)) for key, value in _parse_json(path, text)]
    if pairs and all(value.isdecimal() for _, value in pairs):
        pairs = [(value, key) for key, value in pairs]
    return {number: as_label(label) for number, label in pairs}


def _places(folder: Path, given: Path | None) -> list[Path]:
    return [folder] if given is None else [given.parent, folder]


def _by_number(table: dict[str, str], numbers: dict[str, str]) -> dict[str, str]:
    if numbers and set(table) <= set(numbers):
        return {numbers[number]: name for number, name in table.items()}
    return table


def _names_from_numbers(numbers: dict[str, str], labels: Sequence[str]) -> dict[str, str]:
    """Where the classes are called by their numbers, the file of numbers tells what they are."""
    return {label: numbers[label] for label in labels} if numbers and set(labels) <= set(numbers) else {}
