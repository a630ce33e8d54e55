"""`python -m benchmarks.shares`: what share of its ceiling a server reaches with many clients, both in turns.

The ceiling is decoding and session of the same pictures in this process. The load generator works on the same cores as
the server and on none of the ceiling's, so the ceiling is less by what the generator took.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.bench import BATCH, prepare
from benchmarks.ceiling import ceiling
from benchmarks.config import BenchConfig
from benchmarks.load.samples import Samples
from benchmarks.report.figures import interval
from benchmarks.scenarios import SIZED, Load, warm_up
from benchmarks.targets.servers import lean_in
from contract.console import run_command
from runtime import open_bundle
from runtime.machine import cores
from runtime.modes import WantedPrecision, WantedProvider


@dataclass(frozen=True, kw_only=True)
class Options:
    """Compare our server, started here, with the same work in process."""

    bundle: Path
    """Folder of the bundle to serve."""
    clients: tuple[int, ...] = (16, 64)
    """Numbers of clients, each of which asks again when it has its answer."""
    seconds: float = 10
    """Duration of one measurement."""
    repeats: int = 5
    """Turns of ceiling and server."""
    provider: WantedProvider = "cpu"
    """What runs the model, in the server and in process."""
    precision: WantedPrecision = "fp32"
    """fp32, or a faster one that the bundle has a certificate for."""


def compare(options: Options) -> None:
    """Take turns, and print the share for each number of clients."""
    settings = BenchConfig(bundle=options.bundle, clients=options.clients, seconds=options.seconds)
    model = open_bundle(options.bundle, options.provider, options.precision)
    mode = model.session.mode
    shares: dict[int, list[float]] = {clients: [] for clients in options.clients}
    with tempfile.TemporaryDirectory(prefix="shares-") as temporary:
        ground = prepare(settings, Path(temporary))
        with lean_in(mode, "lean")(options.bundle, ground.model.manifest.name, ground.folder) as target:
            load = Load(settings, target, ground.folder, ground.corpora, {})
            warm_up(load)
            for _ in range(options.repeats):
                for clients in options.clients:
                    found = ceiling(model, ground.corpora[SIZED], BATCH, options.seconds)
                    samples, _ = load.closed(SIZED, options.seconds, clients)
                    shares[clients].append(share_of(samples, found))
    Console(highlight=False, soft_wrap=True, width=120).print(table_of(shares))


def share_of(samples: Samples, found: float) -> float:
    """Right answers per second, of what the ceiling would be beside the generator."""
    return samples.throughput / (found * (1 - samples.generator_cpu / cores()))


def table_of(shares: dict[int, list[float]]) -> Table:
    """A line for each number of clients."""
    table = Table("clients", "share of the ceiling", "95 % interval", "each turn", box=None)
    for clients, each in shares.items():
        low, high = interval(each) or (float("nan"), float("nan"))
        table.add_row(
            str(clients), f"{np.mean(each):.3f}", f"{low:.3f} to {high:.3f}", " ".join(f"{one:.3f}" for one in each)
        )
    return table


if __name__ == "__main__":
    run_command(lambda: compare(tyro.cli(Options, prog="python -m benchmarks.shares")))
