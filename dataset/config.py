"""Which images to use and how to split them: one frozen dataclass, shared by every command that reads a data set."""

import math
from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from contract.text import is_writable, printable
from dataset.splits import Shares

# How much the details of two images of the same object correlate at least; see dataset/pictures/duplicates.py.
SAME_OBJECT = 0.9


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Labelled images, and how they are split."""

    data: Path
    """A folder per class; or train/, val/ and test/ with such folders; or a table: path,label[,split][,group]."""
    names: Path | None = None
    """File with the display name of each class, in any language. Default: names.json beside the images, if there."""
    classes: str = ""
    """Only these classes, separated by commas."""
    min_images: int = 0
    """Leave out classes with fewer images than this."""
    shares: str = "60/20/20"
    """Shares of the images for training, validation and test, where the data has no split."""
    split: Path | None = None
    """Keep the split of an earlier run: its split.csv. New images are added to it."""
    near_duplicates: float = SAME_OBJECT
    """Images whose details correlate more than this stay in one split. 1: only identical files do."""
    skip_unreadable: bool = False
    """Skip files that are not readable images. Without this option, the command stops if there are any."""
    seed: int = 0
    """Seed for the split; in training also for the order of the images, the augmentation and random weights."""

    def __post_init__(self) -> None:
        """Check all options. Raises one `UsageError` that lists every problem."""
        UsageError.raise_for(self.problems())

    def problems(self) -> list[str]:
        """What is wrong with the options."""
        checks = {
            f"shares is {self.shares!r}; expected numbers such as 60/20/20, or 80/20 for no test split": _are_shares(
                self.shares
            ),
            f"min_images is {self.min_images}; expected at least 0": self.min_images >= 0,
            f"near_duplicates is {self.near_duplicates}; expected more than 0.5 and at most 1": 0.5
            < self.near_duplicates
            <= 1,
            **{
                f"{name} is {printable(text)}, which is not UTF-8; rename it": is_writable(text)
                for name in ("data", "names", "split")
                if (text := str(getattr(self, name)))
            },
        }
        return [problem for problem, fine in checks.items() if not fine]

    @property
    def chosen_classes(self) -> list[str]:
        """The classes to keep; empty for all."""
        return [label.strip() for label in self.classes.split(",") if label.strip()]


def _are_shares(text: str) -> bool:
    try:
        shares = Shares.parse(text)
    except ValueError:
        return False
    return math.isfinite(shares.train + shares.val + shares.test)
