"""Answers in, a copy of each picture in a folder per answer out."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from evaluation.predict.answers import Answer

UNSURE = "unsure"
# What file systems, Windows' among them, don't take in a name.
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]|^\.+$|[. ]$')


def sort_images(answers: Sequence[Answer], folder: Path) -> int:
    """Copy each picture that was answered; returns how many. Files of these names are replaced. Raises `OSError`."""
    taken: dict[Path, Path] = {}
    for answer in answers:
        if answer.best:
            place = _free(folder / (UNSURE if answer.unsure else folder_name(answer.best.label)), answer.path, taken)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(answer.path, place)
    return len(taken)


def folder_name(label: str) -> str:
    """The label as the name of a folder."""
    return _NOT_IN_NAMES.sub("_", label) or "_"


def _free(folder: Path, source: Path, taken: dict[Path, Path]) -> Path:
    """A name that no other picture of this run has: pictures of two folders may be called the same."""
    place, number = folder / source.name, 2
    while place in taken:
        place, number = folder / f"{source.stem} ({number}){source.suffix}", number + 1
    taken[place] = source
    return place
