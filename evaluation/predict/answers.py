"""Image files and a model in, an answer for each out: its classes, or why there is none."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract import ImageError, Prediction, preprocess
from contract.text import printable
from runtime import Model

BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is known about one image: its classes, best first, or `error`. `unsure` is for a person to look at."""

    path: Path
    predictions: tuple[Prediction, ...] = ()
    unsure: bool = False
    error: str = ""

    @property
    def best(self) -> Prediction | None:
        """The class of the image; None where it could not be read."""
        return self.predictions[0] if self.predictions else None

    def as_row(self) -> dict[str, object]:
        """Plain values, as a table and JSON take them."""
        best = self.best
        return {
            "path": printable(str(self.path)),
            "label": best.label if best else "",
            "name": best.display_name if best else "",
            "probability": round(best.probability, 6) if best else "",
            "unsure": "yes" if self.unsure else "",
            "error": self.error,
        }


def answer_images(paths: Iterable[Path], model: Model, *, top_k: int, unsure_below: float) -> Iterator[Answer]:
    """An answer for each file, in order; files are decoded on all cores while the model runs in batches."""
    with ThreadPoolExecutor() as pool:
        remaining = iter(paths)
        while batch := list(islice(remaining, BATCH)):
            decoded = list(pool.map(lambda path: _decode(path, model), batch))
            yield from _answer_batch(batch, decoded, model, top_k, unsure_below)


def _decode(path: Path, model: Model) -> NDArray[np.uint8] | str:
    try:
        return preprocess(path.read_bytes(), model.manifest.image)
    except ImageError as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)


def _answer_batch(
    paths: Sequence[Path], decoded: Sequence[NDArray[np.uint8] | str], model: Model, top_k: int, unsure_below: float
) -> list[Answer]:
    good = [pixels for pixels in decoded if not isinstance(pixels, str)]
    probabilities: Iterator[NDArray[np.float32]] = iter(model.run(np.stack(good)).probabilities if good else [])
    return [
        Answer(path=path, error=pixels)
        if isinstance(pixels, str)
        else _name(path, model.predictions(next(probabilities), top_k), unsure_below)
        for path, pixels in zip(paths, decoded, strict=True)
    ]


def _name(path: Path, predictions: Sequence[Prediction], unsure_below: float) -> Answer:
    return Answer(path=path, predictions=tuple(predictions), unsure=predictions[0].probability < unsure_below)
