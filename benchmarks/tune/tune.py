"""The path of tuning: a bundle's modes -> each way to run them, measured -> table, plot, `serve.toml`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.tune.plot import plot_trials
from benchmarks.tune.trial import Trial, Way, measure
from contract import Manifest, UsageError, UserError
from contract.golden import read_golden
from runtime import Mode, Model, load_model
from runtime.machine import cores, processor
from runtime.modes import WantedPrecision, WantedProvider, modes_for
from runtime.serve_settings import ServeSettings, write_settings
from runtime.tuning import sizes

SETTINGS_FILE, PLOT_FILE = "serve.toml", "serve.png"
# All trials together, in seconds; loading comes on top.
BUDGET_S = 75.0
LONGEST_S = 3.0

console = Console(highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """Measure every way to run a bundle on this machine, and write down the best one for the server."""

    bundle: Path
    """Folder of the bundle."""
    slo_p99_ms: float = 0
    """Of the ways in which 99 % of the pictures are answered within so many milliseconds, choose the fastest. 0: the
    fastest of all."""
    images: Path | None = None
    """Folder with pictures to decode. Default: the bundle's golden files."""
    provider: WantedProvider = "auto"
    """Only modes of this provider."""
    precision: WantedPrecision = "auto"
    """Only modes of this precision."""
    max_batch: int = 8
    """Largest batch to try."""
    out: Path | None = None
    """Folder for serve.toml and serve.png. Default: beside the bundle."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            f"slo_p99_ms is {self.slo_p99_ms:g}; expected 0 or more": self.slo_p99_ms >= 0,
            f"max_batch is {self.max_batch}; expected at least 1": self.max_batch >= 1,
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self.out or self.bundle.resolve().parent


def tune(config: TuneConfig) -> Trial:
    """Measure, print, write; returns the best trial. Raises `UserError`."""
    manifest = Manifest.read(config.bundle)
    modes = modes_for(manifest, config.provider, config.precision)
    files = _read_files(config)
    trials = list(_measure_all(config, modes, files, min(config.max_batch, manifest.max_batch)))
    best = choose(trials, config.slo_p99_ms)
    _print(trials, best, config.slo_p99_ms)
    config.folder.mkdir(parents=True, exist_ok=True)
    way = best.way
    settings = ServeSettings(
        provider=way.mode.provider,
        precision=way.mode.precision,
        runners=way.runners,
        threads=way.threads,
        max_batch=way.batch,
    )
    write_settings(settings, config.bundle, config.folder / SETTINGS_FILE)
    plot_trials(trials, best, config.folder / PLOT_FILE)
    console.print(f"Wrote {config.folder / SETTINGS_FILE} and {config.folder / PLOT_FILE}")
    console.print(f"Next: make serve RUN={manifest.name} SETTINGS={config.folder / SETTINGS_FILE}")
    return best


def choose(trials: Sequence[Trial], slo_p99_ms: float) -> Trial:
    """The fastest way, of those that keep the limit if there is one. Raises `UserError` if none does."""
    kept = [trial for trial in trials if not slo_p99_ms or trial.p99_ms <= slo_p99_ms]
    if not kept:
        quickest = min(trials, key=lambda trial: trial.p99_ms)
        raise UserError(
            f"no way answers 99 % of the pictures within {slo_p99_ms:g} ms; the quickest, {quickest.way.mode} with "
            f"{quickest.way.told}, takes {quickest.p99_ms:.1f} ms: allow more with SLO_P99_MS, or train a smaller ARCH"
        )
    return max(kept, key=lambda trial: trial.images_s)


def ways_of(mode: Mode, max_batch: int) -> list[Way]:
    """All cores for one batch, a core for each of several, and what lies between."""
    here = cores()
    pairs = dict.fromkeys((runners, here // runners) for runners in (1, 2, 4, 8, here) if runners <= here)
    return [
        Way(mode=mode, runners=runners, threads=threads, batch=batch)
        for runners, threads in pairs
        for batch in sizes(max_batch)
    ]


def _measure_all(config: TuneConfig, modes: Sequence[Mode], files: Sequence[bytes], max_batch: int) -> Iterator[Trial]:
    ways = [way for mode in modes for way in ways_of(mode, max_batch)]
    seconds = min(LONGEST_S, BUDGET_S / len(ways))
    opened: tuple[tuple[Mode, int, int], Model] | None = None
    for way in track(ways, "Measuring", transient=True, disable=not console.is_terminal):
        key = way.mode, way.runners, way.threads
        if opened is None or opened[0] != key:
            opened = key, load_model(config.bundle, way.mode, way.threads, streams=way.runners)
        yield measure(opened[1], way, files, seconds)


def _read_files(config: TuneConfig) -> list[bytes]:
    if config.images is None:
        return [(config.bundle / golden.file).read_bytes() for golden in read_golden(config.bundle)]
    paths = sorted(path for path in config.images.rglob("*") if path.is_file())[:64]
    if not paths:
        raise UserError(f"{config.images} has no files; expected pictures")
    return [path.read_bytes() for path in paths]


def _print(trials: Sequence[Trial], best: Trial, slo_p99_ms: float) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("mode", no_wrap=True)
    for name in ("at once", "threads", "batch", "images/s", "p50 ms", "p99 ms"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for trial in sorted(trials, key=lambda each: -each.images_s):
        way, mark = trial.way, "chosen" if trial is best else ""
        over = "too slow" if slo_p99_ms and trial.p99_ms > slo_p99_ms else mark
        figures = f"{trial.images_s:.1f}", f"{trial.p50_ms:.1f}", f"{trial.p99_ms:.1f}"
        table.add_row(str(way.mode), str(way.runners), str(way.threads), str(way.batch), *figures, over)
    console.print(f"Decoding and session on {processor()}, {cores()} cores, without a server:")
    console.print("batches at once, threads of each, images of each")
    console.print(table)
