"""A folder of labelled images in, an entry for each image file out; everything else in it is junk or is named.

Two layouts are understood: a folder per class, and split folders (train, val, test in any usual spelling) with a folder
per class in each.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contract.junk import is_junk
from contract.text import counted, is_writable, printable
from dataset.errors import DataError
from dataset.reading.entries import SPLITS, Entry, as_label, split_of

SHOWN = 3
# Files that people keep beside their classes, and that need no word.
_COMPANIONS = {"names.json", "names.csv", "class_indices.json", "readme", "readme.md", "readme.txt", "license"}


@dataclass
class Walk:
    """One pass over a folder: what can't be read is collected, and so is what is left out."""

    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _seen: dict[Path, tuple[list[Path], list[Path]]] = field(default_factory=dict)

    def children(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Folders and files in `folder`, without junk, sorted; links are followed."""
        if folder not in self._seen:
            self._seen[folder] = self._read(folder)
        return self._seen[folder]

    def _read(self, folder: Path) -> tuple[list[Path], list[Path]]:
        folders: list[Path] = []
        files: list[Path] = []
        for path in self._listed(folder):
            if is_junk(Path(path.name)):
                continue
            if path.is_dir():
                folders.append(path)
            elif path.is_file():
                files.append(path)
            else:
                self.problems.append(
                    f"{path} is a link that leads nowhere" if path.is_symlink() else f"{path} is no file"
                )
        return folders, files

    def _listed(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir())
        except OSError as error:
            self.problems.append(f"{folder}: {error.strerror}")
            return []

    def files(self, folder: Path, above: Sequence[Path] = ()) -> Iterator[Path]:
        """Every file below `folder`; a link to a folder that it lies in is left out."""
        if folder.resolve() in above:
            self.notes.append(f"{folder} leads back to a folder that holds it, and was left out")
            return
        folders, files = self.children(folder)
        yield from files
        for inner in folders:
            yield from self.files(inner, [*above, folder.resolve()])

    def raise_for_problems(self) -> None:
        """Raise one `DataError` that lists what can't be read."""
        if self.problems:
            more = f"; … and {len(self.problems) - 20} more" if len(self.problems) > 20 else ""
            raise DataError(f"{'; '.join(self.problems[:20])}{more}. Repair or remove them")


def read_folder(source: Path) -> tuple[list[Entry], list[str]]:
    """The entries below `source`, sorted by path, and notes. Raises `DataError`."""
    walk = Walk()
    top = _descend(walk, source)
    folders, files = walk.children(top)
    _name_loose(walk, top, files)
    splits = _split_folders(walk, top, folders)
    entries = (
        [entry for split, folder in splits.items() for entry in _read_classes(walk, folder, split)]
        if splits
        else _read_classes(walk, top, None)
    )
    walk.raise_for_problems()
    _check_names(entries)
    return sorted(entries, key=lambda entry: entry.path), walk.notes


def _descend(walk: Walk, folder: Path) -> Path:
    """The folder with the classes: an archive often unpacks to a single folder inside."""
    folders, files = walk.children(folder)
    while len(folders) == 1 and not files and split_of(folders[0].name) is None:
        inner, pictures = walk.children(folders[0])
        if not inner or (pictures and len(inner) < 2) or folders[0].resolve() == folder.resolve():
            break
        walk.notes.append(f"the classes were found in {folders[0]}, the only folder in {folder}")
        folder, folders, files = folders[0], inner, pictures
    return folder


def _split_folders(walk: Walk, top: Path, folders: Sequence[Path]) -> dict[str, Path]:
    """The split folders of `top`; none where the folders are classes. Raises `DataError` where it can't be told."""
    named: dict[str, list[Path]] = defaultdict(list)
    direct = []
    for folder in folders:
        split = split_of(folder.name)
        if split and walk.children(folder)[1] and not walk.children(folder)[0]:
            direct.append(folder)  # pictures straight inside: a class of this name
        elif split:
            named[split].append(folder)
    _refuse_ambiguous(top, named, direct, folders)
    if not named:
        return {}
    others = [path for path in folders if split_of(path.name) is None or path in direct]
    walk.notes += [f"{path} is neither train, val nor test, and was left out" for path in others]
    return {split: named[split][0] for split in SPLITS if split in named}


def _refuse_ambiguous(top: Path, named: dict[str, list[Path]], direct: list[Path], folders: Sequence[Path]) -> None:
    for split, found in named.items():
        if len(found) > 1:
            raise DataError(
                f"{top} has two folders for {split}: {' and '.join(path.name for path in found)}; "
                "put their images together, or move one of them away"
            )
    if not named and len(direct) == len(folders) and len({split_of(path.name) for path in direct}) > 1:
        raise DataError(
            f"{top} has {' and '.join(path.name for path in direct)} with images straight inside; "
            "expected a folder for each class in each of them"
        )
    if named and "train" not in named:
        raise DataError(
            f"{top} has {' and '.join(found[0].name for found in named.values())} but no train/; "
            "add it, or use class folders without splits"
        )
    if "train" in named and len(named) == 1:
        raise DataError(
            f"{top} has {named['train'][0].name}/ but neither val/ (or valid/) nor test/; "
            "add one of them, or use class folders without splits"
        )


def _read_classes(walk: Walk, folder: Path, split: str | None) -> list[Entry]:
    classes, loose = walk.children(folder)
    if split:
        _name_loose(walk, folder, loose)
    if not classes:
        walk.raise_for_problems()
        raise DataError(f"{folder} has no class folders; expected a subfolder with images for each class")
    _refuse_variants(walk, folder, classes)
    found = {path: list(walk.files(path, [folder.resolve()])) for path in classes}
    walk.raise_for_problems()
    empty = [str(path) for path, files in found.items() if not files]
    if empty:
        raise DataError(f"class folders without files: {', '.join(empty)}; add images or remove the folders")
    _name_merged(walk, classes)
    return [Entry(path=file, label=as_label(path.name), split=split) for path, files in found.items() for file in files]


def _refuse_variants(walk: Walk, folder: Path, classes: Sequence[Path]) -> None:
    """The same set in colour, grey and segmented, side by side, is not three classes."""
    inside = [({path.name for path in folders}, files) for folders, files in map(walk.children, classes)]
    names = inside[0][0]
    if len(classes) > 1 and len(names) > 1 and all(found == names and not files for found, files in inside):
        raise DataError(
            f"{', '.join(path.name for path in classes)} in {folder} all have the same folders "
            f"({', '.join(sorted(names)[:SHOWN])}{', …' if len(names) > SHOWN else ''}): they look like variants of "
            f"one set. Choose one, such as DATA={classes[0]}; if they are the classes, put the images straight into "
            "them"
        )


def _name_merged(walk: Walk, classes: Sequence[Path]) -> None:
    same: dict[str, list[Path]] = defaultdict(list)
    for path in classes:
        same[as_label(path.name)].append(path)
    for label, paths in same.items():
        if len(paths) > 1:
            walk.notes.append(f"{len(paths)} folders in {paths[0].parent} are called {label}, and are one class")


def _name_loose(walk: Walk, folder: Path, files: Sequence[Path]) -> None:
    loose = [path.name for path in files if path.name.lower() not in _COMPANIONS]
    if loose:
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
