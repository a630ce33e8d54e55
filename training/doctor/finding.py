"""What one check of the doctor found."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "weak", "failed"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one check, in a sentence; what failed names its cause and what to do."""

    check: str
    outcome: Outcome
    sentence: str

    @property
    def line(self) -> str:
        """For the screen."""
        return f"{self.outcome:6}  {self.check}: {self.sentence}"
