"""The options of `python -m export.fast`."""

from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from runtime.modes import ALL_MODES, Mode

KNOWN = {f"{mode.provider}:{mode.precision}": mode for mode in ALL_MODES if mode.is_fast}


@dataclass(frozen=True, kw_only=True)
class FastConfig:
    """Make an int8 graph of an exported run, and admit the fast modes of this machine that cost next to nothing."""

    run: str
    """Name of the run."""
    runs: Path = Path("runs")
    """Folder that contains all runs."""
    max_loss: float = 1.0
    """Points of accuracy that a mode may cost, at most, at 95 % confidence. It stands in the mode's certificate."""
    evidence: Path | None = None
    """Folder of further pictures, which need no labels: what the model answers there must hardly change either."""
    modes: tuple[str, ...] = ()
    """Modes to try, such as cpu:int8. Default: all of this machine that are faster than fp32 here."""

    def __post_init__(self) -> None:
        """Check all options. Raises one `UsageError` that lists every problem."""
        known = ", ".join(KNOWN)
        checks = {
            f"max_loss is {self.max_loss:g}; expected 0.1 to 10 points": 0.1 <= self.max_loss <= 10,
            f"evidence {self.evidence} is no folder": self.evidence is None or self.evidence.is_dir(),
            **{f"modes has {name!r}; expected some of {known}": name in KNOWN for name in self.modes},
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.runs / self.run

    @property
    def chosen(self) -> list[Mode]:
        """The modes that were asked for; empty for the default."""
        return [KNOWN[name] for name in self.modes]
