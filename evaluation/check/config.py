"""The options of `python -m evaluation.check`."""

from dataclasses import dataclass
from pathlib import Path

from dataset.config import DataOptions


@dataclass(frozen=True, kw_only=True)
class CheckConfig(DataOptions):
    """Check labelled images before training, and write a page about them."""

    out: Path
    """File for the page, ending in .html."""

    def problems(self) -> list[str]:
        """What is wrong with the options."""
        fine = self.out.suffix.lower() == ".html"
        return [*super().problems(), *([] if fine else [f"out is {self.out}; expected a name ending in .html"])]
