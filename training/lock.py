"""One command at a time on a run, from before torch is imported until it ends."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from training.errors import CheckpointError


@contextmanager
def hold_run(folder: Path) -> Iterator[None]:
    """Keep other commands off the run: two at once would mix two models. Raises `CheckpointError`, `OSError`.

    Within one process, a run that is held can be held again.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    # Beside the folder, which is emptied for a new run.
    lock = FileLock(folder.parent / f".{folder.name}.lock", is_singleton=True)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise CheckpointError(
            f"{folder} is in use by another training or export; wait until it has ended, or choose another RUN"
        ) from None
    try:
        yield
    finally:
        lock.release()
