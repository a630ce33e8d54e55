"""The options of `python -m training.baseline`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract.image import Contrast, Fit
from contract.text import is_writable, printable
from dataset.config import DataOptions
from training.config import MOST_FOLDS, Architecture


@dataclass(frozen=True, kw_only=True)
class BaselineConfig(DataOptions):
    """Answer each image by a linear model on the features of a network that is not trained further."""

    out: Path
    """Folder for the page, the figures and the table of labels."""
    runs: Path = Path("runs")
    """Folder that contains all runs, where `weights` names one."""
    weights: str = "auto"
    """Where the features come from: "imagenet", "none" (an untrained network), a weights file, or a run.
    "auto" is ImageNet where its weights can be had, else none."""
    arch: Architecture | None = None
    """Network architecture. Default: the run's; resnet152 for other weights, resnet18 without any."""
    size: int | None = None
    """Side of the square images, in pixels. Default: the run's; 224 for other weights, 128 without any."""
    fit: Fit | None = None
    """How images become square. Default: the run's, or "crop"."""
    contrast: Contrast | None = None
    """"standard" brings each image to the same mean and contrast. Default: the run's, or "none"."""
    folds: int = 5
    """Number of folds, 2 to 20."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device for the network."""

    def problems(self) -> list[str]:
        """What is wrong with the options."""
        checks = {
            f"folds is {self.folds}; expected 2 to {MOST_FOLDS}": 2 <= self.folds <= MOST_FOLDS,
            f"size is {self.size}; expected 32 to 1024 px": self.size is None or 32 <= self.size <= 1024,
            **{
                f"{name} is {printable(text)}, which is not UTF-8; rename it": is_writable(text)
                for name in ("out", "runs", "weights")
                if (text := str(getattr(self, name)))
            },
        }
        return [*super().problems(), *(problem for problem, fine in checks.items() if not fine)]
