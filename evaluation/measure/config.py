"""The options of `python -m evaluation.measure`."""

from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from dataset.config import SAME_OBJECT
from dataset.labelled import Part
from runtime.modes import WantedPrecision, WantedProvider


@dataclass(frozen=True, kw_only=True)
class MeasureConfig:
    """Measure a bundle, as it is served, on labelled images."""

    bundle: Path
    """Folder of the bundle."""
    data: Path
    """Labelled images, as for training: a folder or a table; or the split.csv of a run."""
    part: Part = "auto"
    """Which split to measure. "auto": test if there is one, else val, else all images."""
    out: Path | None = None
    """Folder for report.html, evaluation.json and predictions.csv. Default: beside the bundle, named after the data."""
    recall: str = ""
    """A class that must not be missed, and the recall that it needs, such as ill:0.95: a threshold is chosen for it."""
    classes: str = ""
    """Only these classes, separated by commas."""
    skip_unreadable: bool = False
    """Skip files that are not readable images."""
    near_duplicates: float = SAME_OBJECT
    """Images whose details correlate more than this count as one object in intervals. 1: only identical files do."""
    provider: WantedProvider = "cpu"
    """What runs the model: cpu or openvino, or cuda or tensorrt for an NVIDIA GPU."""
    precision: WantedPrecision = "fp32"
    """fp32, or a faster one that the bundle has a certificate for."""

    def __post_init__(self) -> None:
        """Check all options. Raises one `UsageError` that lists every problem."""
        if not 0.5 < self.near_duplicates <= 1:
            raise UsageError(f"near_duplicates is {self.near_duplicates}; expected more than 0.5 and at most 1")

    @property
    def chosen_classes(self) -> list[str]:
        """The classes to keep; empty for all."""
        return [label.strip() for label in self.classes.split(",") if label.strip()]

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self.out or self.bundle.parent / "evaluations" / (self.data.stem or self.data.resolve().name)
