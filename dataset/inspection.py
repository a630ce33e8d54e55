"""Every image file opened once before training: what can't be read, and what stands in the set twice."""

import hashlib
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from contract import ImageError, decode_image
from dataset.errors import DataError
from dataset.sources import Entry

SHOWN = 20
# Only readability matters here, so a large JPEG is decoded at an eighth of its size.
INSPECTION_SIDE = 32


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """`digests`: SHA-256 of each readable file; `unreadable`: why each other file was refused."""

    digests: dict[Path, str]
    unreadable: dict[Path, str]


def inspect_images(paths: list[Path]) -> Inspection:
    """Hash and decode every file, on all cores."""
    digests: dict[Path, str] = {}
    unreadable: dict[Path, str] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(_inspect, paths)
        for path, (digest, problem) in track(
            zip(paths, results, strict=True), "Checking images", total=len(paths), transient=True
        ):
            if problem:
                unreadable[path] = problem
            else:
                digests[path] = digest
    return Inspection(digests=digests, unreadable=unreadable)


def _inspect(path: Path) -> tuple[str, str]:
    try:
        data = path.read_bytes()
        decode_image(data, shorter_side=INSPECTION_SIDE)
    except (ImageError, OSError) as error:
        return "", error.strerror or str(error) if isinstance(error, OSError) else str(error)
    return hashlib.sha256(data).hexdigest(), ""


def refuse_unreadable(unreadable: dict[Path, str]) -> None:
    """Raise `DataError` with the files that can't be read, unless there are none."""
    if unreadable:
        raise DataError(
            f"{len(unreadable)} files are not readable images:\n{describe_unreadable(unreadable)}\n"
            "Repair or remove them, or train without them: SKIP_UNREADABLE=1"
        )


def describe_unreadable(unreadable: dict[Path, str]) -> str:
    """One line a file, at most `SHOWN` of them."""
    return shorten([f"  {path}: {problem}" for path, problem in unreadable.items()])


def describe_duplicates(entries: list[Entry], digests: dict[Path, str]) -> list[str]:
    """A line for each set of byte-identical files that crosses splits or labels."""
    same: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        same[digests[entry.path]].append(entry)
    return [
        " = ".join(f"{entry.path} ({entry.split}, {entry.label})" for entry in group)
        for group in same.values()
        if len({(entry.split, entry.label) for entry in group}) > 1
    ]


def shorten(lines: list[str]) -> str:
    """The lines as one text, cut after `SHOWN` of them."""
    more = [f"  … and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join(lines[:SHOWN] + more)
