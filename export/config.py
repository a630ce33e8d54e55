"""The options of `python -m export`."""

from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from contract.manifest import NAME_PATTERN


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Export a trained run as a bundle that servers can load."""

    run: str
    """Name of the run."""
    runs: Path = Path("runs")
    """Folder that contains all runs."""
    version: str = ""
    """The model's version, shown in every answer. Default: the first 8 digits of the SHA-256 of its weights."""
    max_batch: int = 32
    """Largest batch that a server may run. Parity is proven up to this size."""
    pt2: bool = False
    """Also write model.pt2 (torch.export), the form that torch has in place of TorchScript, and, where there is a C++
    compiler, model.compiled.pt2 (AOTInductor) for processors like this one; both under the same proof."""

    def __post_init__(self) -> None:
        """Check all options. Raises one `UsageError` that lists every problem."""
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
