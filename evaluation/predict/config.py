"""The options of `python -m evaluation.predict`."""

from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from runtime.modes import WantedPrecision, WantedProvider


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Classify pictures without a server."""

    bundle: Path
    """Folder of the bundle."""
    image: tuple[str, ...]
    """Image files, folders with images, or patterns such as "photos/*.jpg"."""
    out: Path | None = None
    """One image: file for the annotated image, such as prediction_result.jpg; if not given, none is written.
    Several: folder for predictions.csv, predictions.json and index.html. Default: predictions."""
    sort: Path | None = None
    """Copy each image into a folder for its answer, in this folder; unsure ones go into the folder "unsure"."""
    unsure_below: float | None = None
    """Answers with a lower probability are called unsure. Default: what validation proposed, if the bundle holds it."""
    top_k: int = 5
    """Number of classes to show."""
    provider: WantedProvider = "cpu"
    """What runs the model: cpu or openvino, or cuda or tensorrt for an NVIDIA GPU."""
    precision: WantedPrecision = "fp32"
    """fp32, or a faster one that the bundle has a certificate for."""

    def __post_init__(self) -> None:
        """Check all options. Raises one `UsageError` that lists every problem."""
        threshold = self.unsure_below
        checks = {
            "image is empty; expected image files, folders or patterns": any(text.strip() for text in self.image),
            f"top_k is {self.top_k}; expected at least 1": self.top_k >= 1,
            f"unsure_below is {threshold}; expected 0 to 1": threshold is None or 0 <= threshold <= 1,
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])
