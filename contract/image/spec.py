"""The image contract of a model: how an image becomes its input."""

from dataclasses import dataclass
from typing import Literal

Fit = Literal["crop", "stretch", "pad"]
Contrast = Literal["none", "standard"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
FULL_DEPTH = 16
Decoding = Literal[1, 2]
LATEST_DECODING: Decoding = 2


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """How an image becomes the model's input, a square of `size` px.

    With `fit` "crop", the shorter side is resized to `resize` px and the centre is cropped. With "stretch", the whole
    image is resized to the square and its aspect ratio is lost; with "pad", it keeps its aspect ratio and the rest of
    the square gets its mean colour: use them if objects can lie at the border. `depth` is how many bits of 16-bit grey
    files are used, 8 to 16: cameras and X-ray detectors with 10 to 14 bits save such files. With `contrast` "standard",
    the model brings each image to the same mean and contrast, so that exposure makes no difference. `decoding` is how
    far a JPEG's own reduced scales are used, see `decoded_side`.
    """

    size: int
    resize: int
    fit: Fit = "crop"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    depth: int = FULL_DEPTH
    contrast: Contrast = "none"
    decoding: Decoding = 1

    def __post_init__(self) -> None:
        """Check the depth and the decoding. Raises `ValueError`."""
        if self.decoding not in (1, LATEST_DECODING):
            raise ValueError(f"decoding is {self.decoding}; expected 1 or {LATEST_DECODING}")
        if not isinstance(self.depth, int) or not 8 <= self.depth <= FULL_DEPTH:
            raise ValueError(f"depth is {self.depth}; expected a whole number from 8 to {FULL_DEPTH}")

    @property
    def decoded_side(self) -> int:
        """The least that a JPEG's shorter side may be decoded to, in px: 1/2, 1/4 or 1/8 of its size is much faster.

        By decoding 1 it stays twice as large as it is resized to, by decoding 2 as large.
        """
        return 2 * self.resize if self.decoding == 1 else self.resize

    def view(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The part of an image that the model sees: left, top, right, bottom, in pixels of the image.

        With "pad", the square goes beyond the image.
        """
        if self.fit == "stretch":
            return 0, 0, width, height
        side = max(width, height) if self.fit == "pad" else min(width, height) * self.size / self.resize
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side

    def content(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The part of the square that the image fills: left, top, right, bottom, in pixels; all of it unless padded."""
        if self.fit != "pad":
            return 0, 0, self.size, self.size
        across, down = (max(1, round(self.size * side / max(width, height))) for side in (width, height))
        left, top = (self.size - across) // 2, (self.size - down) // 2
        return left, top, left + across, top + down

    def view_shares(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The same as shares (0 to 1) of the image's width and height."""
        left, top, right, bottom = self.view(width, height)
        return left / width, top / height, right / width, bottom / height
