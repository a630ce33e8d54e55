"""Outputs of one picture in; its classes by name, where the model looked, and the annotated picture out."""

import io
from dataclasses import dataclass, replace

from contract import ImageError, Prediction, upright_size
from contract.graph import Outputs
from contract.image import Room, decode_reduced
from runtime import Model
from runtime.annotate import JPEG_QUALITY, LONGEST_SIDE, annotate

EDGES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, kw_only=True)
class ImageAnswer:
    """The answer for one image."""

    model: str
    version: str
    predictions: list[Prediction]
    activation_map: list[list[float]] | None = None
    """Where the model looked, if requested: how much each position supports the best class, row by row."""
    view: dict[str, float] | None = None
    """The part of the image that it covers: left, top, right, bottom, as shares of the upright width and height."""


class Answers:
    """What one model's outputs say to people."""

    def __init__(self, model: Model, room: Room) -> None:
        """What pictures unfold to is held only while there is `room`."""
        self._model, self._manifest, self._room = model, model.manifest, room

    def name(self, outputs: Outputs, k: int) -> ImageAnswer:
        """The `k` best classes of one picture's outputs."""
        predictions = self._model.predictions(outputs.probabilities[0], k)
        return ImageAnswer(model=self._manifest.name, version=self._manifest.version, predictions=predictions)

    def best(self, outputs: Outputs) -> str:
        """The best class's label, of one picture's outputs."""
        return self._manifest.classes[int(outputs.probabilities[0].argmax())].label

    def probability(self, outputs: Outputs, label: str) -> float:
        """The probability of a class in one picture's outputs; 0 for one that this model does not know."""
        labels = [entry.label for entry in self._manifest.classes]
        return float(outputs.probabilities[0, labels.index(label)]) if label in labels else 0.0

    def explain(self, data: bytes, outputs: Outputs, k: int) -> ImageAnswer:
        """The same, and where in the picture `data` the model looked."""
        answer = self.name(outputs, k)
        rows = outputs.activation_map[0, answer.predictions[0].index].tolist()
        view = self._manifest.image.view_shares(*upright_size(data, self._room))
        return replace(answer, activation_map=rows, view=dict(zip(EDGES, view, strict=True)))

    def draw(self, data: bytes, outputs: Outputs, k: int) -> bytes:
        """The picture `data` with its answer drawn over and under it, as a JPEG file."""
        predictions = self.name(outputs, k).predictions
        activation = outputs.activation_map[0, predictions[0].index]
        file = io.BytesIO()
        picture = annotate(
            decode_reduced(data, LONGEST_SIDE, self._manifest.image.depth, self._room),
            predictions,
            activation,
            self._manifest.image,
        )
        picture.save(file, "JPEG", quality=JPEG_QUALITY)
        return file.getvalue()


def raise_if_unreadable(result: Outputs | ImageError, place: int = 1, count: int = 1) -> Outputs:
    """Where a request has one error as a whole, it says which picture it means."""
    if isinstance(result, ImageError):
        raise ImageError(result.code, f"image {place} of {count}: {result}" if count > 1 else str(result))
    return result
