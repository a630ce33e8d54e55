"""The options of `python -m runtime`."""

from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from runtime.providers import ProviderName


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Classify one image without a server."""

    bundle: Path
    """Folder of the bundle."""
    image: Path
    """Image file to classify."""
    out: Path | None = None
    """File for the annotated image, for example prediction_result.jpg. If not given, none is written."""
    top_k: int = 5
    """Number of classes to show."""
    provider: ProviderName = "cpu"
    """Device that runs the model: cpu, or cuda for an NVIDIA GPU."""

    def __post_init__(self) -> None:
        """Check all options. Raises one `UsageError` that lists every problem."""
        checks = {
            f"top_k is {self.top_k}; expected at least 1": self.top_k >= 1,
            f"out is {self.out}; expected a name ending in .jpg or .png": self.out is None
            or self.out.suffix.lower() in {".jpg", ".jpeg", ".png"},
            f"out is {self.out}; its folder does not exist": self.out is None or self.out.parent.is_dir(),
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])
