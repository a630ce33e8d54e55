"""A small set of maize leaves drawn by program, so that everything can be tried without any photographs.

Four classes differ in the shape of their lesions, as on real leaves (Crop Protection Network, "An overview of
corn leaf diseases"), while light, colour cast, leaf and background vary more than the lesions do: the mean colour
tells next to nothing.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from contract.atomic import write_text_atomically
from contract.console import run_command

Plane = NDArray[np.float64]  # [SIDE, SIDE]
Colour = tuple[float, float, float]

BRICK: Colour = (0.5, 0.2, 0.08)
TAN: Colour = (0.75, 0.68, 0.55)

SIDE = 128
IMAGES_PER_CLASS = {"train": 200, "val": 25, "test": 50}
DISPLAY_NAMES = {
    "common_rust": "普通锈病",
    "gray_leaf_spot": "灰斑病",
    "healthy": "健康",
    "northern_leaf_blight": "大斑病",
}


class Leaf:
    """One leaf across the picture: `along` and `across` are its own axes, in units of half the picture."""

    def __init__(self, rng: np.random.Generator) -> None:
        y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
        angle = rng.uniform(0, np.pi)
        bend = rng.uniform(-0.25, 0.25)
        self.along: Plane = x * np.cos(angle) + y * np.sin(angle)
        shift = rng.uniform(-0.2, 0.2)
        self.across: Plane = y * np.cos(angle) - x * np.sin(angle) + bend * self.along**2 + shift
        self.half_width = rng.uniform(0.5, 0.8)
        self.mask = _inside(np.abs(self.across) / self.half_width, softness=0.05)

    def veins(self, rng: np.random.Generator) -> Plane:
        """Parallel veins and the pale midrib: brightness to add."""
        stripes = np.sin(self.across * rng.uniform(50, 80) + rng.uniform(0, 6))
        midrib = np.exp(-((self.across / 0.03) ** 2))
        return rng.uniform(0.01, 0.05) * stripes + rng.uniform(0.05, 0.2) * midrib

    def spot(self, rng: np.random.Generator, length: float, width: float, power: float, spread: float = 0.85) -> Plane:
        """A lesion's opacity: an ellipse for `power` 2, towards a rectangle along the veins above it.

        Its centre lies within `spread` of the leaf's, as a share of the leaf's half length and half width.
        """
        u = rng.uniform(-spread, spread)
        v = rng.uniform(-spread, spread) * self.half_width
        distance = np.abs((self.along - u) / length) ** power + np.abs((self.across - v) / width) ** power
        return _inside(distance ** (1 / power), softness=0.2)


def draw_leaf(label: str, rng: np.random.Generator) -> Image.Image:
    """One picture of class `label`: RGB, SIDE x SIDE px."""
    leaf = Leaf(rng)
    picture = _background(rng)
    green = np.array([rng.uniform(0.15, 0.42), rng.uniform(0.42, 0.72), rng.uniform(0.1, 0.3)])
    surface = green + leaf.veins(rng)[..., None]
    for opacity, colour in LESIONS[label](leaf, rng):
        surface += (opacity[..., None] * rng.uniform(0.9, 1.0)) * (np.array(colour) - surface)
    picture += leaf.mask[..., None] * (surface - picture)
    return _photograph(picture, rng)


def _healthy(leaf: Leaf, rng: np.random.Generator) -> list[tuple[Plane, Colour]]:
    """No lesions, but the harmless dust and glare that any leaf may carry."""
    return [(leaf.spot(rng, 0.25, 0.25, 2) * 0.2, (0.8, 0.8, 0.7)) for _ in range(rng.integers(0, 3))]


def _common_rust(leaf: Leaf, rng: np.random.Generator) -> list[tuple[Plane, Colour]]:
    """Many small oval pustules, brick to dark brown."""
    sizes = rng.uniform(0.045, 0.075, size=rng.integers(20, 45))
    return [(leaf.spot(rng, size * 1.4, size, 2), _near(BRICK, rng)) for size in sizes]


def _gray_leaf_spot(leaf: Leaf, rng: np.random.Generator) -> list[tuple[Plane, Colour]]:
    """Narrow rectangles that stop at the veins, grey to tan."""
    lengths = rng.uniform(0.15, 0.3, size=rng.integers(7, 13))
    return [(leaf.spot(rng, length, rng.uniform(0.045, 0.07), 8), _near(TAN, rng)) for length in lengths]


def _northern_leaf_blight(leaf: Leaf, rng: np.random.Generator) -> list[tuple[Plane, Colour]]:
    """Two or three long cigar-shaped lesions, grey-green to tan."""
    lengths = rng.uniform(0.45, 0.8, size=rng.integers(2, 4))
    return [
        (leaf.spot(rng, length, length * rng.uniform(0.22, 0.32), 2, spread=0.5), _near(TAN, rng)) for length in lengths
    ]


LESIONS: dict[str, Callable[[Leaf, np.random.Generator], list[tuple[Plane, Colour]]]] = {
    "common_rust": _common_rust,
    "gray_leaf_spot": _gray_leaf_spot,
    "healthy": _healthy,
    "northern_leaf_blight": _northern_leaf_blight,
}


def _inside(distance: Plane, softness: float) -> Plane:
    """Opacity of a shape whose border lies at distance 1: 1 within, 0 beyond, soft between."""
    return np.clip((1 - distance) / softness, 0, 1)


def _near(colour: Colour, rng: np.random.Generator) -> Colour:
    red, green, blue = np.clip(np.array(colour) + rng.normal(0, 0.05, 3), 0, 1)
    return red, green, blue


def _background(rng: np.random.Generator) -> NDArray[np.float64]:
    """Soil, sky or other leaves, out of focus: float [SIDE, SIDE, 3]."""
    tone = rng.uniform(0.1, 0.7) + rng.normal(0, 0.08, 3)
    coarse = np.clip(tone + rng.normal(0, 0.1, (6, 6, 1)) + rng.normal(0, 0.04, (6, 6, 3)), 0, 1)
    blurred = Image.fromarray((coarse * 255).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(blurred) / 255.0


def _photograph(picture: NDArray[np.float64], rng: np.random.Generator) -> Image.Image:
    """Light, colour cast, gamma, sensor noise and a little blur."""
    cast = rng.uniform(0.85, 1.15, 3) * rng.uniform(0.75, 1.2)
    exposed = np.clip(picture * cast, 0, 1) ** rng.uniform(0.8, 1.3)
    noisy = np.clip(exposed + rng.normal(0, rng.uniform(0, 0.03), picture.shape), 0, 1)
    image = Image.fromarray((noisy * 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.7)))


def write_sample(folder: Path, seed: int = 0) -> None:
    """Fill `folder` with train/, val/ and test/, a folder a class, and names.json; the same seed, the same bytes.

    `names.json` is written last: where it stands, the set is whole and is left as it is.
    """
    if (folder / "names.json").exists():
        return
    for split, count in IMAGES_PER_CLASS.items():
        for label_index, label in enumerate(sorted(LESIONS)):
            _write_class(folder / split / label, label, count, [seed, list(IMAGES_PER_CLASS).index(split), label_index])
    write_text_atomically(folder / "names.json", json.dumps(DISPLAY_NAMES, ensure_ascii=False, indent=2) + "\n")
    print(f"Made {len(LESIONS) * sum(IMAGES_PER_CLASS.values())} sample images of maize leaves in {folder}")


def _write_class(folder: Path, label: str, count: int, seed: list[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        draw_leaf(label, rng).save(folder / f"{label}_{number:03}.jpg", quality=92)


if __name__ == "__main__":
    run_command(lambda: tyro.cli(write_sample))
