"""Pictures drawn by program: no binary files in the repository."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

Tint = tuple[int, int, int]
TINTS: dict[str, Tint] = {"blue": (40, 60, 200), "grün": (50, 190, 60), "red": (200, 50, 40)}


def draw(size: tuple[int, int], tint: Tint, seed: int) -> Image.Image:
    """A noisy RGB picture of one colour; `size` is width, height."""
    noise = np.random.default_rng(seed).normal(0, 25, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.array(tint) + noise, 0, 255).astype(np.uint8))


def encode(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """The picture as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write_images(folder: Path, count: int, tints: dict[str, Tint] = TINTS, *, first_seed: int = 0) -> Path:
    """A folder per tint with `count` JPEGs each, no two alike."""
    for index, (name, tint) in enumerate(tints.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture = draw((40 + number, 48), tint, seed=first_seed + 1000 * index + number)
            (folder / name / f"{name} ({number}).JPG").write_bytes(encode(picture))
    return folder


def write_splits(folder: Path, *splits: str, count: int = 3) -> Path:
    """Split folders, each as `write_images` fills them; no picture stands in two of them."""
    for index, split in enumerate(splits):
        shifted = {name: (r, g, b - 10 * index) for name, (r, g, b) in TINTS.items()}
        write_images(folder / split, count, shifted, first_seed=10_000 * index)
    return folder
