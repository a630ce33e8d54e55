"""A picture and random numbers in, the same object seen differently out: uint8 pixels as the model takes them.

Everything that moves pixels is one affine map, so a picture is resampled once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

from training.config import AugmentName

Affine = NDArray[np.float64]
GREY_WEIGHTS = np.array((0.299, 0.587, 0.114), np.float32)
MOST_ASPECT = 4 / 3


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far a training image may be changed.

    `area` is the least share of the square that a random crop keeps, `aspect` how far its sides may differ, `degrees`
    the largest rotation, and `light`, `contrast` and `colour` the largest relative changes. `turned` also turns by
    quarters and flips upside down.
    """

    says: str
    area: float = 1.0
    aspect: float = 1.0
    degrees: float = 0.0
    flipped: bool = False
    turned: bool = False
    light: float = 0.0
    contrast: float = 0.0
    colour: float = 0.0

    def __call__(self, picture: Image.Image, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A view of `picture` (RGB), uint8 [size, size, 3]."""
        red, green, blue = (round(mean) for mean in ImageStat.Stat(picture).mean)
        matrix = self._place(picture.size, size, rng)
        # What a rotation leaves empty gets the picture's mean colour.
        seen = picture.transform(
            (size, size),
            Image.Transform.AFFINE,
            data=tuple(matrix[:2].ravel()),
            resample=Image.Resampling.BILINEAR,
            fillcolor=(red, green, blue),
        )
        return self._relight(np.asarray(seen), rng)

    def _place(self, picture: tuple[int, int], size: int, rng: np.random.Generator) -> Affine:
        """The map [3, 3] from the pixels of the view to those of the picture."""
        width, height = self._crop(picture, rng)
        left, top = (rng.uniform(0, side - part) for side, part in zip(picture, (width, height), strict=True))
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees)) + self._quarters(rng) * np.pi / 2
        across = -1.0 if self.flipped and rng.random() < 0.5 else 1.0
        down = -1.0 if self.turned and rng.random() < 0.5 else 1.0
        cosine, sine = np.cos(angle), np.sin(angle)
        centred = np.array([[1, 0, -size / 2], [0, 1, -size / 2], [0, 0, 1]])
        turned = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        placed = np.array(
            [[across * width / size, 0, left + width / 2], [0, down * height / size, top + height / 2], [0, 0, 1]]
        )
        # Rounded, as quarter turns are exact, and the cosine of a right angle is not.
        result: Affine = np.round(placed @ turned @ centred, 9)
        return result

    def _quarters(self, rng: np.random.Generator) -> int:
        return int(rng.integers(4)) if self.turned else 0

    def _crop(self, picture: tuple[int, int], rng: np.random.Generator) -> tuple[float, float]:
        """Width and height of the crop: its share of the largest square in the picture (Szegedy et al. 2015)."""
        side = min(picture)
        area, aspect = rng.uniform(self.area, 1.0), np.exp(rng.uniform(-1, 1) * np.log(self.aspect))
        return min(picture[0], side * np.sqrt(area * aspect)), min(picture[1], side * np.sqrt(area / aspect))

    def _relight(self, pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        light, contrast, colour = 1 + rng.uniform(-1, 1, 3) * (self.light, self.contrast, self.colour)
        if not (self.light or self.contrast or self.colour):
            return pixels
        values = pixels.astype(np.float32)
        if self.colour:
            grey = (values @ GREY_WEIGHTS)[..., None]
            values = (grey + np.float32(colour) * (values - grey)).astype(np.float32)
        mean = values.mean()
        values = np.float32(light) * (mean + np.float32(contrast) * (values - mean))
        # Half of 1 is added, as the conversion cuts off.
        result: NDArray[np.uint8] = np.clip(values + np.float32(0.5), 0, 255).astype(np.uint8)
        return result


AUGMENTATIONS: dict[AugmentName, Augmentation | None] = {
    "none": None,
    "photo": Augmentation(
        says="random crops, mirrored left to right, turned by up to 10 degrees, other light, contrast and colour",
        area=0.7,
        aspect=MOST_ASPECT,
        degrees=10,
        flipped=True,
        light=0.2,
        contrast=0.2,
        colour=0.2,
    ),
    "surface": Augmentation(
        says="shifted, mirrored and turned in all directions (no up or down), other light and contrast",
        area=0.85,
        flipped=True,
        turned=True,
        light=0.2,
        contrast=0.2,
    ),
    "text": Augmentation(
        says="shifted, turned by up to 5 degrees, other light and contrast; never mirrored",
        area=0.85,
        degrees=5,
        light=0.2,
        contrast=0.2,
    ),
}
