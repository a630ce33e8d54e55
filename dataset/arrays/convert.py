"""The path of a conversion: find the files, their labels and one scale, and write a PNG for each image."""

import shlex
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich import get_console
from rich.progress import track

from contract.junk import is_junk
from contract.text import counted
from dataset.arrays.reading import Arrays, as_labels, read_arrays
from dataset.arrays.scaling import Scale, find_scale
from dataset.errors import DataError

SUFFIXES = (".npy", ".npz")


@dataclass(frozen=True, kw_only=True)
class ConvertConfig:
    """Turn NumPy arrays into a folder of images."""

    arrays: Path
    """A .npy or .npz file, or a folder with a subfolder of such files for each class."""
    out: Path
    """Folder for the images, a subfolder for each class; must not exist, or be empty."""
    labels: Path | None = None
    """A .npy file with the class of each image, where the arrays stand in one file."""


def convert(config: ConvertConfig) -> None:
    """Write every image as a PNG into the folder of its class, or nothing at all. Raises `DataError`, `OSError`."""
    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise DataError(f"{config.out} has files already; choose another OUT")
    files = [read_arrays(path) for path in find_files(config.arrays)]
    labelled = [(each, folders_of(each, config)) for each in files]
    scale = find_scale(files)
    written = _write_whole(labelled, scale, config)
    for folder, count in sorted(written.items()):
        print(f"{folder:24} {counted(count, 'image')}")
    print(f"Wrote {counted(sum(written.values()), 'image')} to {config.out}; {scale.says}")
    print(f"Next: make check-data DATA={shlex.quote(str(config.out))}")


def _write_whole(labelled: Sequence[tuple[Arrays, list[str]]], scale: Scale, config: ConvertConfig) -> Counter[str]:
    """All images or none: they are written beside `out`, which is renamed once it is whole."""
    part = config.out.with_name(f".{config.out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        written = _write(labelled, scale, config.arrays, part)
        if config.out.exists():
            config.out.rmdir()
        part.rename(config.out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return written


def _write(labelled: Sequence[tuple[Arrays, list[str]]], scale: Scale, root: Path, out: Path) -> Counter[str]:
    written: Counter[str] = Counter()
    total = sum(len(folders) for _, folders in labelled)
    images = track(_images(labelled), "Writing", total=total, transient=True, disable=not get_console().is_terminal)
    for each, folder, place in images:
        (out / folder).mkdir(parents=True, exist_ok=True)
        pixels = scale.apply(np.asarray(each.images[place]))
        Image.fromarray(pixels).save(out / folder / f"{_stem(each.path, root)}_{place:05}.png")
        written[folder] += 1
    return written


def find_files(arrays: Path) -> list[Path]:
    """The file itself, or all in the folder and below. Raises `DataError`."""
    if not arrays.exists():
        raise DataError(f"{arrays} does not exist; expected a .npy or .npz file, or a folder with some")
    if arrays.is_file():
        return [arrays]
    found = sorted(
        path for path in arrays.rglob("*") if path.suffix.lower() in SUFFIXES and not is_junk(path.relative_to(arrays))
    )
    if not found:
        raise DataError(f"{arrays} has no .npy or .npz files; give the folder or the file that has them")
    return found


def folders_of(arrays: Arrays, config: ConvertConfig) -> list[str]:
    """The folder of each image: its class by the labels file or the file itself, or else the folder of its file."""
    count = len(arrays.images)
    if config.labels is not None:
        labels = as_labels(_load_labels(config.labels), config.labels)
    elif arrays.labels is not None:
        labels = arrays.labels
    elif config.arrays.is_dir() and arrays.path.parent != config.arrays:
        return [arrays.path.parent.relative_to(config.arrays).as_posix()] * count
    else:
        raise DataError(
            f"{arrays.path} does not say the classes of its images; put the files into a folder for each class, "
            "or give LABELS=labels.npy"
        )
    if len(labels) != count:
        raise DataError(f"{arrays.path} has {count} images and there are {len(labels)} labels; expected as many")
    wrong = next((label for label in labels if not label.strip(". ") or "/" in label or "\\" in label), None)
    if wrong is not None:
        raise DataError(f"{arrays.path} has the label {wrong!r}, which can't be the name of a folder; rename it")
    return labels


def _load_labels(path: Path) -> NDArray[Any]:
    try:
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path} can't be read as labels ({error}); expected a .npy file with a class an image"
        ) from error
    return values


def _images(labelled: Sequence[tuple[Arrays, list[str]]]) -> Iterator[tuple[Arrays, str, int]]:
    for each, labels in labelled:
        yield from ((each, label, place) for place, label in enumerate(labels))


def _stem(path: Path, root: Path) -> str:
    """A name that no two files share: files in different folders may have one name."""
    return "_".join(path.relative_to(root).with_suffix("").parts) if root.is_dir() else path.stem
