"""What to export, and how."""

from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from contract.manifest import NAME_PATTERN


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Turn a trained run into a bundle that servers can open."""

    run: str
    """Name of the run."""
    runs: Path = Path("runs")
    """Folder that holds all runs."""
    version: str = ""
    """The model's version in every answer; by default the first 8 digits of its weights' SHA-256."""
    max_batch: int = 32
    """Largest batch a server may run; parity is proven up to it."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            f"version is {self.version!r}; expected up to 64 of letters, digits, . _ -": not self.version
            or bool(NAME_PATTERN.fullmatch(self.version)),
            f"max_batch is {self.max_batch}; expected 8 to 256": 8 <= self.max_batch <= 256,
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.runs / self.run
