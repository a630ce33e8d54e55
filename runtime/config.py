"""What to answer for, and how, without a server."""

from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from runtime.providers import ProviderName


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Answer for one picture, without a server."""

    bundle: Path
    """The bundle's folder."""
    image: Path
    """The picture."""
    out: Path | None = None
    """Where to write the annotated picture, for example prediction_result.jpg."""
    top_k: int = 5
    """How many classes to name."""
    provider: ProviderName = "cpu"
    """Where to compute."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            f"top_k is {self.top_k}; expected at least 1": self.top_k >= 1,
            f"out is {self.out}; expected a name ending in .jpg or .png": self.out is None
            or self.out.suffix.lower() in {".jpg", ".jpeg", ".png"},
            f"out is {self.out}; its folder does not exist": self.out is None or self.out.parent.is_dir(),
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])
