"""Image files in, decoded pictures out; they are kept in memory within a budget, so that most are decoded once."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract import ImageError, ImageSpec, preprocess
from contract.image import decode_for
from dataset.errors import DataError
from dataset.split_file import Example

# Pictures are kept a little larger than the model's input: random crops then still have every detail.
MARGIN = 1.25
# Of a long strip, no more than this is ever shown to the model.
MOST_ASPECT = 2.0
# Of the memory that is free when training starts.
MEMORY_SHARE = 0.3

Kept = TypeVar("Kept")


class Memory:
    """How many bytes of pictures may still be kept."""

    def __init__(self, left: int | None = None) -> None:
        self.left = round(MEMORY_SHARE * _free_memory()) if left is None else left

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes; then it is taken."""
        if size > self.left:
            return False
        self.left -= size
        return True


def _free_memory() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class Pictures(Generic[Kept]):
    """What `decode` makes of each file, by the content of the file.

    Several threads may ask at once: at worst, a picture is then decoded twice.
    """

    def __init__(self, decode: Callable[[bytes], Kept], size_of: Callable[[Kept], int], memory: Memory) -> None:
        self._decode, self._size_of, self._memory = decode, size_of, memory
        self._kept: dict[str, Kept] = {}

    def get(self, example: Example) -> Kept:
        """The picture in the file. Raises `DataError` if the file can no longer be read."""
        key = example.sha256 or str(example.path)
        if key in self._kept:
            return self._kept[key]
        try:
            picture = self._decode(example.path.read_bytes())
        except (ImageError, OSError) as error:
            raise DataError(
                f"{example.path} could be read when training began, and now can't ({error}); put it back, and continue"
            ) from error
        if self._memory.take(self._size_of(picture)):
            self._kept[key] = picture
        return picture


def training_pictures(spec: ImageSpec, memory: Memory) -> Pictures[Image.Image]:
    """Pictures as augmentation takes them: RGB, resized as the image contract says, with a margin for crops."""
    return Pictures(lambda data: _shrink(data, spec), lambda picture: 3 * picture.width * picture.height, memory)


def evaluation_pictures(spec: ImageSpec, memory: Memory) -> Pictures[NDArray[np.uint8]]:
    """Pixels exactly as they will be served: uint8 [H, W, 3]."""
    return Pictures(lambda data: preprocess(data, spec), lambda pixels: pixels.nbytes, memory)


def _shrink(data: bytes, spec: ImageSpec) -> Image.Image:
    larger = replace(spec, size=round(MARGIN * spec.size), resize=round(MARGIN * spec.resize))
    if spec.fit != "crop":
        return Image.fromarray(preprocess(data, larger))
    picture = decode_for(data, larger)
    shorter = min(picture.size)
    width, height = (min(side, MOST_ASPECT * shorter) for side in picture.size)
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    scale = min(1.0, larger.resize / shorter)
    return picture.resize(
        (max(1, round(scale * width)), max(1, round(scale * height))),
        Image.Resampling.BILINEAR,
        box=(left, top, left + width, top + height),
    )
