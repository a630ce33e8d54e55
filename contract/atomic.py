"""Atomic file writes: a crash or a full disk never leaves a partial file behind."""

import contextlib
import glob
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# A file that somebody still writes to changes more often than this; its process may be unknown here, as in a container.
ABANDONED_S = 60.0
_numbers = itertools.count(1)


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file in the folder of `path`, then replace `path` with it in one step.

    The order is the one in LWN's "A way to do atomic writes": write, flush, fsync, rename, fsync the folder.
    Raises whatever `write` or the disk (OSError) raises; `path` then still holds its old bytes.
    """
    _remove_abandoned(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a "disk full" error does not name the file
        raise
    sync_folder(path.parent)


def _remove_abandoned(path: Path) -> None:
    """What a killed process had begun to write in place of `path`, which may be large."""
    for found in path.parent.glob(f".{glob.escape(path.name)}.*tmp"):
        with contextlib.suppress(OSError):
            if time.time() - found.stat().st_mtime > ABANDONED_S:
                found.unlink()


def write_text_atomically(path: Path, text: str) -> None:
    """`write_atomically` for UTF-8 text."""
    write_atomically(path, lambda file: file.write(text.encode()))


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power failure. Does nothing on Windows, where folders can't be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
