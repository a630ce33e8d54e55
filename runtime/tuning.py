"""Finds the fastest settings for a bundle on this machine: mode, parallel batches, threads for each, and batch size.

The measurement takes a few seconds for each mode. It is saved for the next start.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np

from contract import Manifest
from contract.atomic import write_text_atomically
from contract.golden import GoldenError
from contract.manifest import MANIFEST_FILE, sha256_of
from runtime.machine import cores, graphics_cards, processor
from runtime.model import Model, load_model, open_model, replay_golden
from runtime.modes import REFERENCE, Mode, WantedPrecision, WantedProvider, modes_for
from runtime.providers import PROVIDERS, ProviderError
from runtime.session import Session

# Smallest gain in throughput that justifies larger batches (other requests wait longer for them), and the smallest
# gain that justifies more runners (each image then takes longer).
GAIN = 0.03
RUNNERS_GAIN = 0.1
# A server's overhead for each batch: collecting requests, waking threads, returning answers. Measured with ResNet-152
# on two cores: 12.5 images/s in batches of one over HTTP; the session alone reaches 14.3 images/s.
BATCH_COST_S = 0.009
# Time for measuring each combination of runners and threads, in seconds. Batch sizes that need longer are skipped.
BUDGET_S = 2.5
ROUNDS = 2
# Modes that are slower than the fastest by more than this, in a first look, are not measured further.
CLOSE = 1.3


@dataclass(frozen=True, kw_only=True)
class TuningRequest:
    """The settings that the user requested; 0 means "measure it"."""

    provider: WantedProvider = "auto"
    precision: WantedPrecision = "auto"
    threads: int = 0
    runners: int = 0
    max_batch: int = 8

    def ways(self, mode: Mode) -> list[tuple[int, int]]:
        """The pairs (runners, threads of each) to try: first one runner on all cores, then one runner per thread."""
        if self.runners:
            return [(self.runners, self.threads or max(1, cores() // self.runners))]
        threads = self.threads or cores()
        # One session is one stream of the GPU; more sessions would not be faster.
        if PROVIDERS[mode.provider].on_graphics_card:
            return [(1, threads)]
        streams = cores() // self.threads if self.threads else cores()
        return list(dict.fromkeys([(1, threads), (max(1, streams), self.threads or 1)]))


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How to run a model: in which mode, `runners` batches in parallel, each on `threads` threads."""

    runners: int
    threads: int
    batch_s: Mapping[int, float]
    """Seconds for one batch, by batch size, while all runners are busy."""
    mode: Mode = REFERENCE
    speeds: Mapping[str, float] = field(default_factory=dict)
    """Images per second of each mode in a first look, one batch at a time on all cores."""
    notes: tuple[str, ...] = ()
    """Modes that may serve and were left out, and why."""

    @property
    def images_s(self) -> float:
        """Images per second at the best batch size, including the server's overhead."""
        return max(self._served_s(size) for size in self.batch_s)

    def _served_s(self, size: int) -> float:
        """Images per second in batches of this size, including the server's overhead."""
        return self.runners * size / (self.batch_s[size] + BATCH_COST_S)

    @property
    def summary(self) -> str:
        """One line for the log."""
        batches = "1 batch at a time" if self.runners == 1 else f"{self.runners} batches in parallel"
        return (
            f"Runs {batches}, at most {max(self.batch_s)} images each, on {self.threads * self.runners} threads: "
            f"{self.images_s:.1f} images/s"
        )

    @property
    def gain(self) -> str:
        """How much faster the mode is than fp32 on the processor; empty where that was not measured."""
        reference, own = self.speeds.get(str(REFERENCE)), self.speeds.get(str(self.mode))
        if self.mode == REFERENCE or not reference or not own:
            return ""
        return f"{own / reference:.1f} times as fast as fp32"

    def is_sane(self, max_batch: int) -> bool:
        """Whether it can have been measured: read from a file, it may say anything."""
        sizes_fit = 1 in self.batch_s and max(self.batch_s) <= max_batch and min(self.batch_s) >= 1
        times_fit = all(0 < seconds < math.inf for seconds in self.batch_s.values())
        return self.runners >= 1 and self.threads >= 1 and sizes_fit and times_fit

    def without_idle_sizes(self) -> "Tuning":
        """Drop batch sizes above the smallest one whose throughput is within `GAIN` of the best."""
        enough = min(size for size in self.batch_s if self._served_s(size) >= (1 - GAIN) * self.images_s)
        kept = {size: seconds for size, seconds in self.batch_s.items() if size <= enough}
        return replace(self, batch_s=kept)


def tuned_model(folder: Path, request: TuningRequest, cache: Path | None = None) -> tuple[Model, Tuning, bool]:
    """A model, its best settings, and whether an earlier start saved them, in `cache` or else beside the bundle.

    Raises the errors of `load_model`.
    """
    modes = modes_for(Manifest.read(folder), request.provider, request.precision)
    key = _key(folder, request)
    kept = _place(folder, key["bundle"], cache)
    known = _recall(kept, key)
    if known and known.mode in modes:
        try:
            return load_model(folder, known.mode, known.threads, tuple(known.batch_s), known.runners), known, True
        except GoldenError:
            if len(modes) == 1:
                raise
            # Among several, the measurement leaves it out and says why.
    model, tuning = _measure_modes(folder, request, modes)
    _keep(kept, key, tuning)
    return model, tuning, False


def fastest(
    folder: Path, manifest: Manifest, modes: Sequence[Mode], threads: int, gpu: int = 0
) -> tuple[Session, list[str]]:
    """The session of the fastest of `modes` whose golden files agree, and why faster ones were left out.

    Raises `ProviderError`, and `GoldenError` if none agrees.
    """
    sessions = [Session((folder / mode.file).read_bytes(), mode, threads, gpu) for mode in modes]
    if len(sessions) == 1:
        return sessions[0], []
    failures: list[GoldenError] = []
    for session in sorted(sessions, key=lambda each: -images_per_second(each, manifest.image.size)):
        try:
            replay_golden(folder, manifest, session.mode, session)
        except GoldenError as error:
            failures.append(error)
        else:
            return session, [str(failure) for failure in failures]
    raise failures[-1]


def _measure_modes(folder: Path, request: TuningRequest, modes: Sequence[Mode]) -> tuple[Model, Tuning]:
    """The fastest of the modes, with its settings. One that this machine renders otherwise is left out and noted."""
    manifest = Manifest.read(folder)
    manifest.verify_files(folder)
    opened, notes = _open_each(folder, manifest, modes)
    speeds = {mode: _speed(model) for mode, model in opened.items()} if len(opened) > 1 else {}
    close = [mode for mode in opened if not speeds or CLOSE * speeds[mode] >= max(speeds.values())]
    for mode in set(opened) - set(close):
        del opened[mode]  # each holds the weights
    best: tuple[Model, Tuning] | None = None
    for mode in close:
        found = _measure_ways(folder, request, opened.pop(mode))
        if best is None or found[1].images_s > best[1].images_s:
            best = found
    assert best is not None
    rates = {str(mode): speed for mode, speed in speeds.items()}
    return best[0], replace(best[1].without_idle_sizes(), speeds=rates, notes=tuple(notes))


def _open_each(folder: Path, manifest: Manifest, modes: Sequence[Mode]) -> tuple[dict[Mode, Model], list[str]]:
    """A model in each mode on all cores, and why others are not among them. Raises the error of the last one left."""
    opened: dict[Mode, Model] = {}
    failures: list[GoldenError | ProviderError] = []
    for mode in modes:
        try:
            opened[mode] = open_model(folder, manifest, mode, cores())
        except (GoldenError, ProviderError) as error:
            failures.append(error)
    if not opened:
        raise failures[-1]
    return opened, [str(failure) for failure in failures]


def images_per_second(session: Session, size: int, batch: int = 8) -> float:
    """One batch at a time of images of `size` px: the best of a few, after one to warm up."""
    pixels, taken = np.zeros((batch, size, size, 3), np.uint8), []
    for _ in range(2 + ROUNDS):
        started = time.perf_counter()
        session.run(pixels)
        taken.append(time.perf_counter() - started)
    return batch / min(taken[1:])


def _speed(model: Model) -> float:
    return images_per_second(model.session, model.manifest.image.size)


def _on(folder: Path, model: Model, runners: int, threads: int) -> Model:
    """The same model for so many batches at once, on so many threads each."""
    return open_model(folder, model.manifest, model.session.mode, threads, streams=runners)


def _measure_ways(folder: Path, request: TuningRequest, model: Model) -> tuple[Model, Tuning]:
    """The best runners and threads for the mode of `model`, which runs on all cores."""
    best: tuple[Model, Tuning] | None = None
    mode = model.session.mode
    for runners, threads in request.ways(mode):
        tried = model if (runners, threads) == (1, cores()) else _on(folder, model, runners, threads)
        found = measure(tried, runners, threads, sizes(min(request.max_batch, model.manifest.max_batch)))
        if best is None or found.images_s > (1 + RUNNERS_GAIN) * best[1].images_s:
            best = tried, found
    assert best is not None
    return best


def sizes(largest: int) -> list[int]:
    """The powers of two up to `largest`, and `largest` itself."""
    powers = [1 << power for power in range(largest.bit_length())]
    return sorted({*powers, largest})


def measure(model: Model, runners: int, threads: int, batches: Sequence[int]) -> Tuning:
    """Seconds for one batch, by batch size: the best of a few rounds. In a round, every runner runs one batch."""
    batch_s: dict[int, float] = {}
    left = BUDGET_S
    with ThreadPoolExecutor(runners) as pool:
        for size in batches:
            expected = max(batch_s.values(), default=0) * 2 * (1 + ROUNDS)
            if expected > left:
                break
            started = time.perf_counter()
            batch_s[size] = min(_rounds(model, pool, runners, size))
            left -= time.perf_counter() - started
    return Tuning(runners=runners, threads=threads, batch_s=batch_s, mode=model.session.mode)


def _rounds(model: Model, pool: ThreadPoolExecutor, runners: int, size: int) -> list[float]:
    """Seconds of each round. The first run of a size is a warm-up and does not count."""
    side = model.manifest.image.size
    pixels = np.random.default_rng(0).integers(0, 256, (size, side, side, 3), dtype=np.uint8)
    taken = []
    for _ in range(1 + ROUNDS):
        started = time.perf_counter()
        list(pool.map(model.run, [pixels] * runners))
        taken.append(time.perf_counter() - started)
    return taken[1:]


def _place(folder: Path, fingerprint: str, cache: Path | None) -> Path:
    """Where the measurement is kept: in a folder that many bundles share, each has a name of its own."""
    whole = folder.resolve()  # because the path "." has no name
    if cache:
        return cache / f"{whole.name}-{fingerprint[:12]}.tuning.json"
    return whole.with_name(f"{whole.name}.tuning.json")


def _key(folder: Path, request: TuningRequest) -> dict[str, Any]:
    """Everything that the measurement depends on."""
    machine = ", ".join([processor(), f"{cores()} cores", *graphics_cards()])
    bundle = sha256_of(folder / MANIFEST_FILE)
    return {"bundle": bundle, "machine": machine, "packages": _packages(), "asked": asdict(request)}


def _packages() -> dict[str, str]:
    """The versions of ONNX Runtime and of its plugins."""
    named = {found.name: found.version for found in distributions()}
    return {name: named[name] for name in sorted(named) if name.startswith("onnxruntime")}


def _recall(path: Path, key: Mapping[str, Any]) -> Tuning | None:
    """The saved measurement if it was made for `key`; None if it is missing, unreadable or made for something else."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["for"] != key:
            return None
        batch_s = {int(size): float(seconds) for size, seconds in kept["batch_s"].items()}
        tuning = Tuning(
            runners=int(kept["runners"]),
            threads=int(kept["threads"]),
            batch_s=batch_s,
            mode=Mode(kept["mode"]["provider"], kept["mode"]["precision"]),
            speeds={str(name): float(speed) for name, speed in kept["speeds"].items()},
            notes=tuple(map(str, kept["notes"])),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return tuning if tuning.is_sane(key["asked"]["max_batch"]) else None


def _keep(path: Path, key: Mapping[str, Any], tuning: Tuning) -> None:
    """Save the measurement. If the folder can't be written to, the next start measures again."""
    text = json.dumps({"for": key, **asdict(tuning)}, indent=1) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, text)
    except OSError as error:
        print(f"Could not save the measurement ({error.strerror}: {path}); the next start will measure again")
