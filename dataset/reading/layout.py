"""The folders of one level in, what they are out: splits or classes; what could be either, or neither, is refused."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataset.errors import DataError
from dataset.reading.entries import SPLITS, split_of
from dataset.reading.walk import Walk

SHOWN = 3


@dataclass
class Level:
    """Folders side by side: by the split they are called after, those of them that hold pictures, and all others."""

    top: Path
    splits: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    direct: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def descend(walk: Walk, source: Path) -> list[Path]:
    """The folders on the way from `source` to the one with the classes: an archive often unpacks to a folder inside."""
    way, seen = [source], {source.resolve()}
    while True:
        folders, _ = walk.children(way[-1])
        if len(folders) != 1 or split_of(folders[0].name) or walk.pictures(way[-1]):
            return way
        (inner,) = folders
        if not walk.children(inner)[0] or walk.pictures(inner) or inner.resolve() in seen:
            return way
        walk.notes.append(f"the classes were found in {inner}, the only folder in {way[-1]}")
        way.append(inner)
        seen.add(inner.resolve())


def split_folders(walk: Walk, top: Path) -> dict[str, Path]:
    """The split folders of `top`; none where the folders are classes. Raises `DataError` where it can't be told."""
    level = _sort(walk, top)
    _refuse_ambiguous(level)
    if not level.splits:
        _refuse_decorated(walk, level)
        return {}
    walk.notes += [f"{path} is neither train, val nor test, and was left out" for path in level.others]
    walk.notes += [
        f"{path} has images straight inside, not in class folders, and was left out" for path in level.direct
    ]
    return {split: level.splits[split][0] for split in SPLITS if split in level.splits}


def _sort(walk: Walk, top: Path) -> Level:
    level, mixed = Level(top), []
    for folder in walk.children(top)[0]:
        inner, files = walk.children(folder)
        split = split_of(folder.name)
        if split is None:
            level.others.append(folder)
        elif files and not inner:
            level.direct.append(folder)  # pictures straight inside: a class of this name
        elif walk.pictures(folder):
            mixed.append((split, folder))
        else:
            level.splits[split].append(folder)
    # Pictures and folders inside: a class beside other classes, a split beside other splits.
    for split, folder in mixed:
        if level.others and not level.splits:
            level.direct.append(folder)
        else:
            level.splits[split].append(folder)
    return level


def _refuse_ambiguous(level: Level) -> None:
    top, named, direct = level.top, level.splits, level.direct
    for split, found in named.items():
        if len(found) > 1:
            raise DataError(
                f"{top} has two folders for {split}: {' and '.join(path.name for path in found)}; "
                "put their images together, or move one of them away"
            )
    if not named and not level.others and len({split_of(path.name) for path in direct}) > 1:
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
        flat = f" ({direct[0].name}/ has images straight inside, not in class folders)" if direct else ""
        raise DataError(
            f"{top} has {named['train'][0].name}/ but neither val/ (or valid/) nor test/{flat}; "
            "add one of them, or use class folders without splits"
        )


def _refuse_decorated(walk: Walk, level: Level) -> None:
    """Folders such as train_v2_ok and val_v2_ok, with folders inside, are hardly classes."""
    words = {
        path: {split for word in re.split(r"[\W\d_]+", path.name) if (split := split_of(word))}
        for path in level.others
        if walk.children(path)[0] and not walk.pictures(path)
    }
    if len(set().union(*words.values())) > 1:
        named = " and ".join(path.name for path, splits in words.items() if splits)
        raise DataError(f"{level.top} has {named}, which look like splits; call them train, val and test")


def refuse_variants(walk: Walk, folder: Path, classes: Sequence[Path]) -> None:
    """The same set in colour, grey and segmented, side by side, is not three classes. Raises `DataError`."""
    inside = {path: {inner.name for inner in walk.children(path)[0]} for path in classes if not walk.pictures(path)}
    shared = set.intersection(*inside.values()) if inside else set()
    if len(classes) > 1 and len(inside) == len(classes) and _alike(list(inside.values()), shared):
        raise DataError(f"{_listed(path.name for path in classes)} in {folder} {_variants(walk, classes, shared)}")
    for path, names in inside.items():
        copies = names & {other.name for other in classes if other != path}
        if len(copies) > 1:
            raise DataError(
                f"{path} has folders that are called as the classes beside it ({_listed(sorted(copies))}); "
                "put their images into these classes, or move it away"
            )


def _alike(inside: Sequence[set[str]], shared: set[str]) -> bool:
    """The same folders in each, or most of them; folders called by a day or number may be shared by classes."""
    worded = [name for name in shared if not re.search(r"\d", name)]
    least = len(set.union(*inside)) / 2
    return len(shared) > 1 and (all(names == shared for names in inside) or len(worded) >= max(least, 2))


def _variants(walk: Walk, classes: Sequence[Path], shared: set[str]) -> str:
    folders = f"all have the same folders ({_listed(sorted(shared))})"
    if all(split_of(name) and walk.pictures(path / name) for path in classes for name in shared):
        return f"{folders}; expected it the other way round: train/, val/ and test/ with the class folders in each"
    return (
        f"{folders}: they look like variants of one set. Choose one, such as DATA={classes[0]}; if they are the "
        "classes, put the images straight into them"
    )


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
