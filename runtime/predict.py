"""Classifies one image file: prints the classes and, on request, writes an annotated image."""

from contract import ImageError, decode_image, preprocess
from contract.atomic import write_atomically
from runtime.annotate import JPEG_QUALITY, annotate
from runtime.config import PredictConfig
from runtime.model import load_model

FINE_ENOUGH = 4


def predict(config: PredictConfig) -> None:
    """Classify `config.image` and print its classes. Raises `ImageError` with the file's name."""
    model = load_model(config.bundle, config.provider)
    data = config.image.read_bytes()
    try:
        pixels = preprocess(data, model.manifest.image)
    except ImageError as error:
        raise ImageError(error.code, f"{config.image}: {error}") from error
    outputs = model.run(pixels[None])
    predictions = model.predictions(outputs.probabilities[0], config.top_k)
    for prediction in predictions:
        print(f"{prediction.probability:.4f}  {prediction.label}  {prediction.display_name}")
    if config.out:
        activation = outputs.activation_map[0, predictions[0].index]
        picture = annotate(decode_image(data), predictions, activation, model.manifest.image)
        kind = "PNG" if config.out.suffix.lower() == ".png" else "JPEG"
        write_atomically(config.out, lambda file: picture.save(file, kind, quality=JPEG_QUALITY))
        print(f"wrote {config.out}")
        if min(activation.shape) < FINE_ENOUGH:
            grid = f"{activation.shape[0]} x {activation.shape[1]}"
            print(f"the heat map is coarse, {grid} cells; for a finer one, train with a larger SIZE")
