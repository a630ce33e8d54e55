"""A bundle and this machine in, how to run it best here out: how many batches at once, on how many threads, how large.

Measured in a few seconds, and kept beside the bundle for the next start.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from contract import Manifest
from contract.atomic import write_text_atomically
from runtime.machine import cores, processor
from runtime.model import Model, load_model

# What larger batches must bring, as they make others wait; and more runners, as each picture then takes longer.
GAIN = 0.03
RUNNERS_GAIN = 0.1
# What a batch costs around the session, in a server: to gather it, to wake threads, to hand out the answers. Seen with
# ResNet-152 on two cores: 12.5 images/s in batches of one behind HTTP, where the session alone reaches 14.3.
BATCH_COST_S = 0.009
# Seconds for each way of running. A batch size that would take longer is left out.
BUDGET_S = 2.5
ROUNDS = 2


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What was asked for; 0 means that it is to be measured."""

    provider: str = "cpu"
    threads: int = 0
    runners: int = 0
    max_batch: int = 8

    @property
    def ways(self) -> list[tuple[int, int]]:
        """Runners and threads of each to try: all cores on one picture first, then a stream for each thread."""
        if self.runners:
            return [(self.runners, self.threads or max(1, cores() // self.runners))]
        threads = self.threads or cores()
        if self.provider != "cpu":  # one session is one stream of the device; more of them gain nothing
            return [(1, threads)]
        streams = cores() // self.threads if self.threads else cores()
        return list(dict.fromkeys([(1, threads), (max(1, streams), self.threads or 1)]))


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How to run a model: `runners` batches at once, on `threads` threads each."""

    runners: int
    threads: int
    batch_s: Mapping[int, float]
    """Seconds by batch size, while every runner runs one."""

    @property
    def images_s(self) -> float:
        """Images per second at the best batch size, with what a server adds."""
        return max(self._served_s(size) for size in self.batch_s)

    def _served_s(self, size: int) -> float:
        """Images per second in batches of this size."""
        return self.runners * size / (self.batch_s[size] + BATCH_COST_S)

    @property
    def summary(self) -> str:
        """A line for people."""
        batches = "one batch" if self.runners == 1 else f"{self.runners} batches at once"
        return (
            f"Runs {batches} of at most {max(self.batch_s)} on {self.threads * self.runners} threads: "
            f"{self.images_s:.1f} images/s"
        )

    def without_idle_sizes(self) -> "Tuning":
        """Up to the smallest batch that is as fast as the best, but for `GAIN`."""
        enough = min(size for size in self.batch_s if self._served_s(size) >= (1 - GAIN) * self.images_s)
        kept = {size: seconds for size, seconds in self.batch_s.items() if size <= enough}
        return Tuning(runners=self.runners, threads=self.threads, batch_s=kept)


def tuned_model(folder: Path, wish: Wish) -> tuple[Model, Tuning, bool]:
    """A model, how to run it best, and whether that was known from an earlier start. Raises as `load_model` does."""
    whole = folder.resolve()  # "." has no name
    kept, key = whole.with_name(f"{whole.name}.tuning.json"), _key(folder, wish)
    if known := _recall(kept, key):
        return load_model(folder, wish.provider, known.threads, tuple(known.batch_s)), known, True
    model, tuning = _measure_ways(folder, wish)
    _keep(kept, key, tuning)
    return model, tuning, False


def _measure_ways(folder: Path, wish: Wish) -> tuple[Model, Tuning]:
    best: tuple[Model, Tuning] | None = None
    for runners, threads in wish.ways:
        model = load_model(folder, wish.provider, threads)
        found = measure(model, runners, threads, sizes(min(wish.max_batch, model.manifest.max_batch)))
        if best is None or found.images_s > (1 + RUNNERS_GAIN) * best[1].images_s:
            best = model, found
    assert best is not None
    return best[0], best[1].without_idle_sizes()


def sizes(largest: int) -> list[int]:
    """The powers of two up to `largest`, and `largest`."""
    powers = [1 << power for power in range(largest.bit_length())]
    return sorted({*powers, largest})


def measure(model: Model, runners: int, threads: int, batches: Sequence[int]) -> Tuning:
    """Seconds by batch size: the best of a few rounds, in each of which every runner runs one."""
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
    """Seconds of each round; the first run of a size prepares it and does not count."""
    side = model.manifest.image.size
    pixels = np.random.default_rng(0).integers(0, 256, (size, side, side, 3), dtype=np.uint8)
    taken = []
    for _ in range(1 + ROUNDS):
        started = time.perf_counter()
        list(pool.map(model.run, [pixels] * runners))
        taken.append(time.perf_counter() - started)
    return taken[1:]


def _key(folder: Path, wish: Wish) -> dict[str, Any]:
    """What the measurement depends on."""
    machine = f"{processor()}, {cores()} cores"
    bundle = Manifest.read(folder).version
    return {"bundle": bundle, "machine": machine, "onnxruntime": onnxruntime.__version__, "asked": asdict(wish)}


def _recall(path: Path, key: Mapping[str, Any]) -> Tuning | None:
    """What an earlier start measured, if it holds for `key`; a file that says something else is measured anew."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["for"] != key:
            return None
        batch_s = {int(size): float(seconds) for size, seconds in kept["batch_s"].items()}
        return Tuning(runners=int(kept["runners"]), threads=int(kept["threads"]), batch_s=batch_s)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _keep(path: Path, key: Mapping[str, Any], tuning: Tuning) -> None:
    """Beside the bundle, where it can be written; elsewhere the next start measures again."""
    text = json.dumps({"for": key, **asdict(tuning)}, indent=1) + "\n"
    try:
        write_text_atomically(path, text)
    except OSError as error:
        print(f"The measurement can't be kept ({error.strerror}: {path}); the next start measures again")
