"""A folder of labelled images in, an entry for each image file out; everything else in it is junk or is named.

Two layouts are understood: a folder per class, and split folders (train, val, test in any usual spelling) with a folder
per class in each.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence, Set
from pathlib import Path

from contract.text import counted, is_writable, printable
from dataset.errors import DataError
from dataset.reading.entries import Entry, as_label, has_controls
from dataset.reading.layout import SHOWN, descend, refuse_variants, split_folders
from dataset.reading.walk import Walk

# Files that people keep beside their classes, and that need no word. Names are looked for there and nowhere else.
_READMES = {"readme", "readme.md", "readme.txt", "license", "license.txt", "license.md"}
_COMPANIONS = {"names.json", "names.csv", "class_indices.json"} | _READMES


def read_folder(source: Path, names: Path | None = None) -> tuple[list[Entry], list[str], list[Path]]:
    """The entries below `source`, sorted by path, notes, and the folders on the way to the classes.

    `names` is the file of display names that the user gave, which may lie there and needs no word either.
    Raises `DataError`.
    """
    walk = Walk()
    way = descend(walk, source)
    for folder in way:
        loose = [path for path in walk.children(folder)[1] if names is None or path.resolve() != names.resolve()]
        _name_loose(walk, loose, _COMPANIONS)
    splits = split_folders(walk, way[-1])
    entries = (
        [entry for split, folder in splits.items() for entry in _read_classes(walk, folder, split)]
        if splits
        else _read_classes(walk, way[-1], None)
    )
    walk.raise_for_problems()
    _check_names(entries)
    return sorted(entries, key=lambda entry: entry.path), walk.notes, way


def _read_classes(walk: Walk, folder: Path, split: str | None) -> list[Entry]:
    classes, loose = walk.children(folder)
    if split:
        _name_loose(walk, loose, _READMES)
    if not classes:
        walk.raise_for_problems()
        raise DataError(f"{folder} has no class folders; expected a subfolder with images for each class")
    refuse_variants(walk, folder, classes)
    found = {path: list(walk.files(path, [folder.resolve()])) for path in classes}
    walk.raise_for_problems()
    empty = [str(path) for path, files in found.items() if not files]
    if empty:
        raise DataError(f"class folders without files: {', '.join(empty)}; add images or remove the folders")
    _name_respelled(walk, classes)
    return [Entry(path=file, label=as_label(path.name), split=split) for path, files in found.items() for file in files]


def _name_respelled(walk: Walk, classes: Sequence[Path]) -> None:
    same: dict[str, list[Path]] = defaultdict(list)
    for path in classes:
        same[as_label(path.name)].append(path)
    for label, paths in same.items():
        walk.notes += [
            f"the folder {path.name!r} in {path.parent} was read as the class {label}"
            for path in paths
            if unicodedata.normalize("NFC", path.name) != label
        ]
        if len(paths) > 1:
            walk.notes.append(f"{len(paths)} folders in {paths[0].parent} are called {label}, and are one class")


def _name_loose(walk: Walk, files: Sequence[Path], companions: Set[str]) -> None:
    loose = [path.name for path in files if path.name.lower() not in companions]
    if loose:
        folder = files[0].parent
        listed = ", ".join(printable(name) for name in loose[:SHOWN]) + (", …" if len(loose) > SHOWN else "")
        walk.notes.append(
            f"left out, as it is in no class: {counted(len(loose), 'file')} straight in {folder}: {listed}"
        )


def _check_names(entries: Sequence[Entry]) -> None:
    """Paths and classes are written to the split's CSV, to the report and into the bundle, all of them UTF-8."""
    bad = [name for entry in entries for name in (str(entry.path), entry.label) if not is_writable(name)]
    if bad:
        raise DataError(
            f"{len(bad)} file or folder names are not UTF-8, the first is {printable(bad[0])}; rename them, "
            "or unpack the archive again in its own encoding, such as: unzip -O gbk archive.zip"
        )
    if odd := sorted({entry.label for entry in entries if has_controls(entry.label)}):
        raise DataError(
            f"class folders have control characters in their names: {', '.join(map(repr, odd))}; rename them"
        )
