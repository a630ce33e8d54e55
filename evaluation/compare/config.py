"""The options of `python -m evaluation.compare`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract import UsageError

Part = Literal["auto", "test", "val"]
# Most file systems allow 255 bytes.
LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class CompareRunsConfig:
    """Compare finished runs on the same held-out images: each with the first one."""

    runs: tuple[str, ...]
    """Names of two or more runs. The first one is the reference."""
    folder: Path = Path("runs")
    """Folder that contains all runs."""
    part: Part = "auto"
    """Images to compare on. "auto": the test images if all runs have some, else the validation images."""
    out: Path | None = None
    """Folder for compare.html and compare.json. Default: <first>-<second>.compare in the folder of the runs."""

    def __post_init__(self) -> None:
        """Check all options. Raises one `UsageError` that lists every problem."""
        given = ", ".join(self.runs) or "nothing"
        checks = {
            f'runs is {given}; expected the names of two or more runs: RUNS="first second"': len(self.runs) >= 2,
            f"runs is {given}; expected each name once": len(set(self.runs)) == len(self.runs),
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def results_folder(self) -> Path:
        """Where the results go."""
        joined = "-".join(self.runs)
        if len(joined) > LONGEST_NAME:
            joined = f"{self.runs[0]}-and-{len(self.runs) - 1}-more"
        return self.out or self.folder / f"{joined}.compare"
