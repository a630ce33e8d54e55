"""One picture in, a sentence and its classes out, and on request an annotated copy."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from contract import ImageError, Prediction, UsageError, preprocess
from contract.atomic import write_atomically
from contract.image import decode_reduced
from runtime import Model
from runtime.annotate import JPEG_QUALITY, LONGEST_SIDE, annotate

FINE_ENOUGH = 4
PICTURES = {".jpg", ".jpeg", ".png"}


def classify(path: Path, model: Model, *, top_k: int, unsure_below: float, out: Path | None) -> None:
    """Print what the picture shows. Raises `ImageError` with the file's name, `UsageError`, `OSError`."""
    if out and (out.suffix.lower() not in PICTURES or not out.parent.is_dir()):
        raise UsageError(f"out is {out}; expected a name ending in .jpg or .png, in a folder that exists")
    data = path.read_bytes()
    try:
        pixels = preprocess(data, model.manifest.image)
    except ImageError as error:
        raise ImageError(error.code, f"{path}: {error}") from error
    outputs = model.run(pixels[None])
    predictions = model.predictions(outputs.probabilities[0], top_k)
    print(sentence(path, predictions[0], unsure_below))
    for prediction in predictions:
        print(f"{prediction.probability:.4f}  {prediction.label}  {prediction.display_name}")
    if out:
        activation = outputs.activation_map[0, predictions[0].index]
        spec = model.manifest.image
        picture = annotate(decode_reduced(data, LONGEST_SIDE, spec.depth), predictions, activation, spec)
        _save(picture, out)
        print(f"wrote {out}{_coarseness(activation.shape)}")


def sentence(path: Path, best: Prediction, unsure_below: float) -> str:
    """The answer in words."""
    name = best.label if best.display_name == best.label else f"{best.display_name} ({best.label})"
    share = f"probability {best.probability:.2f}"
    if best.probability < unsure_below:
        return f"{path.name}: unsure, perhaps {name} ({share}, below {unsure_below:.2f})"
    return f"{path.name} shows {name} ({share})"


def _save(picture: Image.Image, out: Path) -> None:
    kind = "PNG" if out.suffix.lower() == ".png" else "JPEG"
    write_atomically(out, lambda file: picture.save(file, kind, quality=JPEG_QUALITY))


def _coarseness(grid: Sequence[int]) -> str:
    if min(grid) >= FINE_ENOUGH:
        return ""
    return f"\nthe heat map is coarse, {grid[0]} x {grid[1]} cells; for a finer one, train with a larger SIZE"
