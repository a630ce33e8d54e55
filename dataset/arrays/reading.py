"""A .npy or .npz file in, its images and their labels out; nothing is ever unpickled."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.errors import DataError

IMAGE_KEYS = ("images", "x", "data", "arr_0", "img", "image", "X")
LABEL_KEYS = ("labels", "y", "label", "targets", "target", "arr_1", "Y")
CHANNELS = (1, 3)
# Rows, columns; and with them channels, or a number of images.
SMALLEST_SIDE = 4


@dataclass(frozen=True, kw_only=True)
class Arrays:
    """The images of one file, [N, H, W] or [N, H, W, C], and their labels, where the file has some."""

    path: Path
    images: NDArray[Any]
    labels: list[str] | None


def read_arrays(path: Path) -> Arrays:
    """The images in a file. Raises `DataError`."""
    content = _load(path)
    if isinstance(content, np.ndarray):
        return Arrays(path=path, images=_as_images(content, path), labels=None)
    images = _pick(content, IMAGE_KEYS)
    if images is None:
        raise DataError(
            f"{path} has the arrays {', '.join(content)}; expected one called {' or '.join(IMAGE_KEYS[:3])}"
        )
    labels = _pick(content, LABEL_KEYS)
    return Arrays(
        path=path, images=_as_images(images, path), labels=None if labels is None else as_labels(labels, path)
    )


def as_labels(values: NDArray[Any], path: Path) -> list[str]:
    """Labels as text: numbers, strings, or one-hot rows. Raises `DataError`."""
    if values.ndim == 2 and values.shape[1] > 1:
        values = values.argmax(axis=1)
    if values.ndim == 2:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "iufSUb":
        raise DataError(
            f"{path} has labels of type {values.dtype} and shape {values.shape}; expected one for each image"
        )
    if values.dtype.kind == "f":
        values = values.astype(np.int64)
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]


def _load(path: Path) -> NDArray[Any] | Mapping[str, NDArray[Any]]:
    try:
        content = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content
        with content as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError) as error:
        if any(sign in str(error) for sign in ("allow_pickle", "Python objects")):
            raise DataError(
                f"{path} holds Python objects, and reading those would run code from the file; save numbers alone: "
                "np.save('images.npy', np.stack(images))"
            ) from error
        raise DataError(f"{path} can't be read as a NumPy file ({error}); save it again with np.save") from error


def _pick(content: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> NDArray[Any] | None:
    return next((content[name] for name in names if name in content), None)


def _as_images(values: NDArray[Any], path: Path) -> NDArray[Any]:
    """[N, H, W] or [N, H, W, C]; channels may come first, and one image may come alone."""
    if values.dtype.kind not in "biuf":
        raise DataError(f"{path} holds {values.dtype}; expected numbers")
    shape = values.shape
    if values.ndim == 2 or (values.ndim == 3 and shape[2] in CHANNELS and shape[0] > shape[2]):
        values = values[None]
    if values.ndim == 4 and values.shape[1] in CHANNELS and values.shape[3] not in CHANNELS:
        values = np.moveaxis(values, 1, 3)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    grey, colour = values.ndim == 3, values.ndim == 4 and values.shape[3] == 3
    if not (grey or colour) or min(values.shape[1:3]) < SMALLEST_SIDE:
        raise DataError(
            f"{path} has the shape {list(shape)}; expected [H, W], [N, H, W], [N, H, W, 1 or 3] or [N, 1 or 3, H, W]"
        )
    return values
