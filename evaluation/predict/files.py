"""What a person names in, the image files that are meant out."""

import glob
import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from contract import UserError
from contract.junk import is_junk


def find_images(named: Sequence[str]) -> list[Path]:
    """The files of folders and patterns, and files themselves, each once, in order. Raises `UserError`.

    A text that is no file may name several, separated by blanks as in a shell.
    """
    found = [path for text in named for path in _expand(text)]
    return list(dict.fromkeys(found))


def is_one_file(named: Sequence[str]) -> bool:
    """Whether a single picture is asked for, rather than a folder or pattern that may hold one."""
    return len(named) == 1 and not Path(named[0]).is_dir() and not (_is_pattern(named[0]) and not _exists(named[0]))


def _expand(text: str) -> list[Path]:
    if _exists(text):
        return _files(Path(text)) if Path(text).is_dir() else [Path(text)]
    if _is_pattern(text):
        return _matches(text)
    parts = _words(text)
    if len(parts) > 1:
        return [path for part in parts for path in _expand(part)]
    raise UserError(f"{text} does not exist; expected an image file, a folder, or a pattern such as 'photos/*.jpg'")


def _exists(text: str) -> bool:
    return os.path.lexists(text)


def _is_pattern(text: str) -> bool:
    return any(letter in text for letter in "*?[")


def _matches(pattern: str) -> list[Path]:
    found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]
    files = _without_junk(path for path in found if path.is_file())
    if not files:
        raise UserError(f"no file matches {pattern}; expected a pattern such as 'photos/*.jpg'")
    return files


def _files(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*"))
    files = [path for path in found if _is_file(path) and not is_junk(path.relative_to(folder))]
    if not files:
        raise UserError(f"{folder} has no files; expected images in it")
    return files


def _is_file(path: Path) -> bool:
    """A link that leads nowhere is one that can't be read, and is told."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _without_junk(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if not is_junk(Path(path.name))]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an apostrophe in a name
        return [text]
