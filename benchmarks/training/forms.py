"""`python -m benchmarks.training.forms`: images per second of each form that an export wrote, in process, in turns."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.session import rate
from contract import Manifest
from contract.console import run_command
from export.candidates import Candidate, open_candidates
from runtime.machine import cores, processor


@dataclass(frozen=True, kw_only=True)
class Options:
    """Compare the forms of a bundle."""

    bundle: Path
    """Folder of the bundle; `make export PT2=1` writes all forms."""
    batches: tuple[int, ...] = (1, 8)
    """Batch sizes to measure."""
    rounds: int = 5
    """How often each has its turn; the median counts."""
    seconds: float = 2
    """Duration of a turn, in seconds."""


def compare(options: Options) -> None:
    """Print a line for each form."""
    size = Manifest.read(options.bundle).image.size
    candidates = open_candidates(options.bundle)
    table = Table("form, images/s", *(f"batch of {count}" for count in options.batches), box=None)
    columns = [_take_turns(candidates, count, size, options) for count in options.batches]
    for candidate in candidates:
        table.add_row(candidate.name, *(f"{column[candidate.name]:.1f}" for column in columns))
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{options.bundle}, {size} px, fp32, {cores()} cores of {processor()}", table, sep="\n")


def _take_turns(candidates: list[Candidate], count: int, size: int, options: Options) -> dict[str, float]:
    """The median of each one's images per second, in batches of `count`."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    rates: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    for _ in range(options.rounds):
        for candidate in candidates:
            rates[candidate.name].append(rate(partial(candidate.run, pixels), count, options.seconds))
    return {name: median(values) for name, values in rates.items()}


if __name__ == "__main__":
    run_command(lambda: compare(tyro.cli(Options)))
