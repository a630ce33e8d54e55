"""A run's answers to held-out images in, its worst mistakes out: chosen, drawn into a folder, and read from there."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract import ImageError, ImageSpec, decode_image, preprocess
from contract.atomic import write_atomically, write_text_atomically
from contract.image.heat_map import overlay
from contract.text import as_json
from dataset.split_file import Example
from evaluation.answers import Answers

MISTAKES_FOLDER = "mistakes"
MISTAKES_FILE = "mistakes.json"
# With the pictures below, the folder takes some 500 kB at most, and so does its part of the report.
MOST_MISTAKES = 24
SIDE = 200
QUALITY = 80

ActivationMaps = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From uint8 [N, H, W, 3], as `preprocess` makes them, to activation maps float32 [N, C, h, w]."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A wrong answer and its probability; `picture` is a file beside mistakes.json, empty if there is none."""

    name: str
    true: str
    answered: str
    probability: float
    picture: str


def worst_mistakes(answers: Answers, temperature: float) -> list[int]:
    """The rows of the wrong answers that were given with the highest probability, the highest first: at most 24.

    Of the images of one object, which look alike, the worst is enough.
    """
    confidences = answers.confidences(temperature)
    wrong = np.flatnonzero(answers.answered != answers.targets)
    ordered = wrong[np.argsort(-confidences[wrong], kind="stable")]
    _, firsts = np.unique(answers.clusters[ordered], return_index=True)
    found: list[int] = ordered[np.sort(firsts)][:MOST_MISTAKES].tolist()
    return found


def write_mistakes(
    answers: Answers,
    examples: Sequence[Example],
    labels: Sequence[str],
    temperature: float,
    spec: ImageSpec,
    maps: ActivationMaps,
    folder: Path,
) -> None:
    """Draw the worst mistakes into `folder`, with the list of them, which is written last. Raises `OSError`.

    An image whose file has gone or can't be read any more is listed without a picture.
    """
    folder.mkdir(exist_ok=True)
    confidences = answers.confidences(temperature)
    mistakes = []
    for number, row in enumerate(worst_mistakes(answers, temperature), start=1):
        answered, path = int(answers.answered[row]), examples[row].path
        drawn = _draw(path, spec, maps, answered)
        mistakes.append(
            Mistake(
                name=path.name,
                true=labels[int(answers.targets[row])],
                answered=labels[answered],
                probability=float(confidences[row]),
                picture=_save(drawn, folder / f"{number:02}.jpg") if drawn else "",
            )
        )
    write_text_atomically(folder / MISTAKES_FILE, as_json([asdict(mistake) for mistake in mistakes]))


def read_mistakes(folder: Path) -> list[Mistake] | None:
    """What `write_mistakes` wrote; None where it did not."""
    path = folder / MISTAKES_FILE
    if not path.is_file():
        return None
    return [Mistake(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def _save(picture: Image.Image, path: Path) -> str:
    write_atomically(path, lambda file: picture.save(file, "JPEG", quality=QUALITY))
    return path.name


def _draw(path: Path, spec: ImageSpec, maps: ActivationMaps, answered: int) -> Image.Image | None:
    """The picture, and beside it the picture with a heat map of the answered class; None if it can't be read."""
    try:
        data = path.read_bytes()
        pixels, picture = preprocess(data, spec), decode_image(data, shorter_side=SIDE, depth=spec.depth)
    except (OSError, ImageError):
        return None
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    pair = Image.new("RGB", (2 * picture.width, picture.height))
    pair.paste(picture, (0, 0))
    pair.paste(overlay(picture, maps(pixels[None])[0, answered], spec), (picture.width, 0))
    return pair
