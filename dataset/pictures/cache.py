"""What was found in a picture, kept by its content: a set that was read once is not decoded again."""

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import PIL
from numpy.typing import NDArray

THUMBNAIL_SIDE = 32
# The number is raised with every change of what is kept; another Pillow may decode to other pixels.
CACHE_FILE = f"pictures-1-pillow-{PIL.__version__}.sqlite"
TABLE = "CREATE TABLE IF NOT EXISTS pictures (sha256 TEXT PRIMARY KEY, width, height, mode, bytes, bits, thumbnail)"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One readable image file, when upright. `mode` is the kind of its pixels, in Pillow's words, and `bytes` its size.

    `bits` is how many bits its 16-bit pixels use, None for 8-bit files.

    `thumbnail` is uint8 [32, 32, 3], the whole picture without its aspect ratio.
    """

    sha256: str
    width: int
    height: int
    mode: str
    bytes: int
    bits: int | None
    thumbnail: NDArray[np.uint8]


def cache_folder() -> Path:
    """The user's cache folder for this program (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "resnet-service"


class PictureCache:
    """Pictures by the SHA-256 of their files, for several threads. Raises `sqlite3.Error` or `OSError`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(folder / CACHE_FILE, timeout=60, check_same_thread=False)
        self._lock = Lock()
        with self._connection:
            self._connection.execute(TABLE)

    def get(self, sha256: str) -> Picture | None:
        """The picture in a file of this content, if it was kept."""
        with self._lock:
            row = self._connection.execute("SELECT * FROM pictures WHERE sha256 = ?", (sha256,)).fetchone()
        return _picture(row) if row else None

    def add(self, pictures: Iterable[Picture]) -> None:
        """Keep these pictures too."""
        rows = [
            (each.sha256, each.width, each.height, each.mode, each.bytes, each.bits, each.thumbnail.tobytes())
            for each in pictures
        ]
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _picture(row: tuple[str, int, int, str, int, int | None, bytes]) -> Picture:
    sha256, width, height, mode, size, bits, thumbnail = row
    return Picture(
        sha256=sha256,
        width=width,
        height=height,
        mode=mode,
        bytes=size,
        bits=bits,
        thumbnail=np.frombuffer(thumbnail, np.uint8).reshape(THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3),
    )
