"""Every image file opened once before training: what it holds, and what can't be read."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from rich import get_console
from rich.progress import track

from contract import ImageError, bits_used, decode_image, file_mode, upright_size
from contract.text import counted
from dataset.errors import DataError
from dataset.pictures.cache import THUMBNAIL_SIDE, Picture, PictureCache, cache_folder

SHOWN = 20
# Pictures are written to the cache in portions: a set whose reading was interrupted goes on from there.
PORTION = 500


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """`pictures`: what each readable file holds; `unreadable`: why each other was refused; `notes` for the user."""

    pictures: dict[Path, Picture]
    unreadable: dict[Path, str]
    notes: list[str]


def inspect_images(paths: list[Path]) -> Inspection:
    """Hash every file and decode those that were not seen before, on all cores."""
    found = Inspection(pictures={}, unreadable={}, notes=[])
    with _open_cache(found.notes) as cache, ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda path: _inspect(path, cache), paths)
        new: list[Picture] = []
        for path, (result, is_new) in track(
            zip(paths, results, strict=True),
            "Checking images",
            total=len(paths),
            transient=True,
            disable=not get_console().is_terminal,
        ):
            if isinstance(result, str):
                found.unreadable[path] = result
                continue
            found.pictures[path] = result
            new += [result] if is_new else []
            if len(new) >= PORTION:
                _keep(cache, new, found.notes)
                new = []
        _keep(cache, new, found.notes)
    return found


@contextmanager
def _open_cache(notes: list[str]) -> Iterator[PictureCache | None]:
    """The cache, or None with a note where it can't be had: then every picture is decoded anew."""
    try:
        cache = PictureCache(cache_folder())
    except (sqlite3.Error, OSError) as error:
        notes.append(f"{cache_folder()} can't be used as a cache ({error}); every image is read again each time")
        yield None
        return
    try:
        yield cache
    finally:
        cache.close()


def _keep(cache: PictureCache | None, pictures: list[Picture], notes: list[str]) -> None:
    if cache is None or not pictures:
        return
    try:
        cache.add(pictures)
    except sqlite3.Error as error:
        notes.append(f"{cache_folder()} can't be written ({error}); these images are read again next time")


def _inspect(path: Path, cache: PictureCache | None) -> tuple[Picture | str, bool]:
    """What the file holds, or why it can't be read; and whether that was not in the cache."""
    try:
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        known = cache.get(sha256) if cache else None
        return (known, False) if known else (_look(data, sha256), True)
    except OSError as error:
        return error.strerror or str(error), False
    except ImageError as error:
        return str(error), False


def _look(data: bytes, sha256: str) -> Picture:
    bits = bits_used(data)
    image = decode_image(data, shorter_side=THUMBNAIL_SIDE, depth=bits or 16)
    width, height = upright_size(data)
    thumbnail = image.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BILINEAR)
    return Picture(
        sha256=sha256,
        width=width,
        height=height,
        mode=file_mode(data),
        bytes=len(data),
        bits=bits,
        thumbnail=np.asarray(thumbnail),
    )


def refuse_unreadable(unreadable: Mapping[Path, str]) -> None:
    """Raise `DataError` with the files that can't be read, unless there are none."""
    if unreadable:
        raise DataError(
            f"{counted(len(unreadable), 'file')} can't be read as an image:\n"
            f"{shorten(describe_unreadable(unreadable))}\n"
            "Repair or remove them, or train without them: SKIP_UNREADABLE=1"
        )


def describe_unreadable(unreadable: Mapping[Path, str]) -> list[str]:
    """One line a file."""
    return [f"{path}: {problem}" for path, problem in unreadable.items()]


def shorten(lines: Sequence[str]) -> str:
    """The lines as one text, set in, and cut after `SHOWN` of them."""
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join(f"  {line}" for line in [*lines[:SHOWN], *more])
