"""Finds the fastest settings for a bundle on this machine: parallel batches, threads for each, and batch size.

The measurement takes a few seconds. It is saved next to the bundle for the next start.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from contract.atomic import write_text_atomically
from contract.manifest import MANIFEST_FILE, sha256_of
from runtime.machine import cores, graphics_cards, processor
from runtime.model import Model, load_model

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


@dataclass(frozen=True, kw_only=True)
class TuningRequest:
    """The settings that the user requested; 0 means "measure it"."""

    provider: str = "cpu"
    threads: int = 0
    runners: int = 0
    max_batch: int = 8

    @property
    def ways(self) -> list[tuple[int, int]]:
        """The pairs (runners, threads of each) to try: first one runner on all cores, then one runner per thread."""
        if self.runners:
            return [(self.runners, self.threads or max(1, cores() // self.runners))]
        threads = self.threads or cores()
        if self.provider != "cpu":  # one session is one stream of the GPU; more sessions would not be faster
            return [(1, threads)]
        streams = cores() // self.threads if self.threads else cores()
        return list(dict.fromkeys([(1, threads), (max(1, streams), self.threads or 1)]))


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How to run a model: `runners` batches in parallel, each on `threads` threads."""

    runners: int
    threads: int
    batch_s: Mapping[int, float]
    """Seconds for one batch, by batch size, while all runners are busy."""

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

    def is_sane(self, max_batch: int) -> bool:
        """Whether it can have been measured: read from a file, it may say anything."""
        sizes_fit = 1 in self.batch_s and max(self.batch_s) <= max_batch and min(self.batch_s) >= 1
        times_fit = all(0 < seconds < math.inf for seconds in self.batch_s.values())
        return self.runners >= 1 and self.threads >= 1 and sizes_fit and times_fit

    def without_idle_sizes(self) -> "Tuning":
        """Drop batch sizes above the smallest one whose throughput is within `GAIN` of the best."""
        enough = min(size for size in self.batch_s if self._served_s(size) >= (1 - GAIN) * self.images_s)
        kept = {size: seconds for size, seconds in self.batch_s.items() if size <= enough}
        return Tuning(runners=self.runners, threads=self.threads, batch_s=kept)


def tuned_model(folder: Path, request: TuningRequest) -> tuple[Model, Tuning, bool]:
    """A model, its best settings, and whether an earlier start saved them. Raises the errors of `load_model`."""
    whole = folder.resolve()  # because the path "." has no name
    kept, key = whole.with_name(f"{whole.name}.tuning.json"), _key(folder, request)
    if known := _recall(kept, key):
        return load_model(folder, request.provider, known.threads, tuple(known.batch_s)), known, True
    model, tuning = _measure_ways(folder, request)
    _keep(kept, key, tuning)
    return model, tuning, False


def _measure_ways(folder: Path, request: TuningRequest) -> tuple[Model, Tuning]:
    best: tuple[Model, Tuning] | None = None
    for runners, threads in request.ways:
        model = load_model(folder, request.provider, threads)
        found = measure(model, runners, threads, sizes(min(request.max_batch, model.manifest.max_batch)))
        if best is None or found.images_s > (1 + RUNNERS_GAIN) * best[1].images_s:
            best = model, found
    assert best is not None
    return best[0], best[1].without_idle_sizes()


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
    return Tuning(runners=runners, threads=threads, batch_s=batch_s)


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


def _key(folder: Path, request: TuningRequest) -> dict[str, Any]:
    """Everything that the measurement depends on."""
    machine = ", ".join([processor(), f"{cores()} cores", *graphics_cards()])
    bundle = sha256_of(folder / MANIFEST_FILE)
    return {"bundle": bundle, "machine": machine, "onnxruntime": onnxruntime.__version__, "asked": asdict(request)}


def _recall(path: Path, key: Mapping[str, Any]) -> Tuning | None:
    """The saved measurement if it was made for `key`; None if it is missing, unreadable or made for something else."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["for"] != key:
            return None
        batch_s = {int(size): float(seconds) for size, seconds in kept["batch_s"].items()}
        tuning = Tuning(runners=int(kept["runners"]), threads=int(kept["threads"]), batch_s=batch_s)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return tuning if tuning.is_sane(key["asked"]["max_batch"]) else None


def _keep(path: Path, key: Mapping[str, Any], tuning: Tuning) -> None:
    """Save the measurement next to the bundle. If the folder can't be written to, the next start measures again."""
    text = json.dumps({"for": key, **asdict(tuning)}, indent=1) + "\n"
    try:
        write_text_atomically(path, text)
    except OSError as error:
        print(f"Could not save the measurement ({error.strerror}: {path}); the next start will measure again")
