"""`python -m benchmarks.hostile`: what harm bodies, bombs and long requests do to a server, measured beside it.

Prints the memory above idle, what the hostile clients heard and how long honest ones waited; how long /ping takes
beside requests that are long to read or to answer; and how late answers are by their clients' deadlines.
"""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.hostile.beside import Meanwhile, watch
from benchmarks.hostile.bodies import MOST_PICTURES, PING, Request, bomb, many, small, tensor, unfinished
from benchmarks.hostile.flood import Ending, flood, repeat
from benchmarks.targets.servers import Target, lean
from contract import Manifest
from contract.console import run_command

HOLD_S = 8.0
"""So long an unfinished body is held: the server would cut it off a little later."""
PATIENCE_S = 30.0
BODY = 20_000_000
LONG_CLIENTS = 4
PATIENT_CLIENTS = 8
DEADLINES_MS = (100, 300, 1000)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Attack our own server, started here with its defaults, and measure what it takes of it."""

    bundle: Path
    """Folder of the bundle to serve."""
    connections: int = 1_000
    """Bodies of 20 MB at once, none of which is ever complete."""
    bombs: int = MOST_PICTURES
    """Pictures of 40 million pixels at once."""
    seconds: float = 10
    """How long the event loop and the deadlines are watched."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A server, another process that does harm to it, and what an honest client asks."""

    target: Target
    elsewhere: Executor
    manifest: Manifest

    @property
    def picture(self) -> Request:
        """A picture of the model's size."""
        return small(self.manifest)

    def watch(self, honest: Request, do: Callable[..., list[Ending]], *given: object) -> Meanwhile:
        """Let the other process do it, beside honest clients."""
        return watch(self.target, self.elsewhere, honest, do, *given)


def attack(options: Options) -> None:
    """Start the server, do it all, and print a table of each."""
    manifest, console = Manifest.read(options.bundle), Console(highlight=False, soft_wrap=True, width=120)
    with (
        tempfile.TemporaryDirectory(prefix="hostile-") as folder,
        ProcessPoolExecutor(1, get_context("spawn")) as elsewhere,
        lean(options.bundle, manifest.name, Path(folder)) as target,
    ):
        ground = Ground(target=target, elsewhere=elsewhere, manifest=manifest)
        ground.watch(PING, repeat, ground.picture, LONG_CLIENTS, 3.0)  # what is allocated once is allocated
        for measured in (memory_of, loop_of, deadlines_of):
            console.print(measured(ground, options))


def memory_of(ground: Ground, options: Options) -> Table:
    """What the server takes, and how honest clients fare, while much comes at once."""
    table = Table("at once", "above idle, MB", "they heard", "honest ones answered", "p50, ms", "longest", box=None)
    for name, request, count in floods(options):
        hold_s = HOLD_S if request.lacking else PATIENCE_S
        seen = ground.watch(ground.picture, flood, request, count, hold_s)
        table.add_row(
            name, f"{seen.above_idle_mb:.0f}", heard(seen), f"{seen.honest_share:.0%}", *shown(seen.honest_ms, 50, 100)
        )
    return table


def loop_of(ground: Ground, options: Options) -> Table:
    """How long /ping takes beside what is long to read or to answer."""
    table = Table("again and again", "they heard", "/ping p50, ms", "p99", "longest", box=None)
    for name, request in long_requests(ground):
        seen = ground.watch(PING, repeat, request, LONG_CLIENTS, options.seconds)
        table.add_row(f"{LONG_CLIENTS} x {name}", heard(seen), *shown(seen.honest_ms, 50, 99, 100))
    return table


def deadlines_of(ground: Ground, options: Options) -> Table:
    """How late answers and refusals are by the limit that their clients set."""
    table = Table("limit, ms", "answers", "late by p50, ms", "p99.9", "longest", box=None)
    for limit in DEADLINES_MS:
        asked = small(ground.manifest, fields=f"X-Request-Timeout-Ms: {limit}\r\n")
        seen = ground.watch(PING, repeat, asked, PATIENT_CLIENTS, options.seconds)
        late = [1000 * ending.seconds - limit for ending in seen.done]
        table.add_row(str(limit), heard(seen), *shown(partial(np.percentile, late), 50, 99.9, 100))
    return table


def floods(options: Options) -> Iterator[tuple[str, Request, int]]:
    """What is sent by many at once, by name."""
    count = options.bombs
    yield f"{options.connections:,} bodies of 20 MB without an end", unfinished(BODY), options.connections
    yield f"{count} PNGs of 40 million pixels", bomb("PNG"), count
    yield f"{count} progressive JPEGs of 40 million", bomb("JPEG", progressive=True), count
    yield f"{count} WebPs of 40 million", bomb("WEBP"), count
    yield f"{count} such PNGs to be annotated", bomb("PNG", path="/annotate"), count


def long_requests(ground: Ground) -> Iterator[tuple[str, Request]]:
    """What is long to read or to answer, by name."""
    pixels, picture, classes = tensor(ground.manifest), ground.picture.body, len(ground.manifest.classes)
    yield "nothing", PING
    yield f"{len(pixels.body) / 1e6:.0f} MB of pixels as JSON", pixels
    yield f"{MOST_PICTURES} pictures, {classes} classes each", many(picture, maps=False)
    yield f"{MOST_PICTURES} pictures, {classes} classes each and a map", many(picture, maps=True)


def heard(seen: Meanwhile) -> str:
    """What those heard who did it."""
    return ", ".join(f"{count} x {status or 'nothing'}" for status, count in sorted(seen.heard.items()))


def shown(percentile: Callable[[float], float], *shares: float) -> list[str]:
    """Percentiles in whole milliseconds."""
    return [f"{percentile(share):.0f}" for share in shares]


if __name__ == "__main__":
    run_command(lambda: attack(tyro.cli(Options, prog="python -m benchmarks.hostile")))
