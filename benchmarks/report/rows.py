"""Repeats of one measurement in, one line of the results out."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.load.samples import Outcome, Samples
from benchmarks.report.figures import interval, is_steady, percentile
from benchmarks.targets.watch import Usage

# Beyond these the generator, and not the server, decides the figure.
GENERATOR_CPU = 0.9
GENERATOR_LATENESS_MS = 50


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is measured: one server under one load with one input. Rows of two runs with the same case compare."""

    server: str
    scenario: str
    loop: Literal["closed", "open"]
    load: str
    input: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came of a case. Latencies in ms, of right answers alone, over all repeats."""

    case: Case
    images_s: float
    """Right answers per second: the mean of the repeats."""
    low: float | None
    """Lower end of its 95 % interval; None for fewer than three repeats."""
    high: float | None
    repeats: tuple[float, ...]
    repeats_p50: tuple[float, ...]
    """The median latency of each repeat that had an answer."""
    of_ceiling: float
    """Share of what the same code reaches in process."""
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    """None where the samples don't carry it."""
    max: float | None
    ok: int
    wrong: int
    shed: int
    timeout: int
    error: int
    decode: float | None
    queue: float | None
    inference: float | None
    """Medians from Server-Timing, where the server sends it."""
    batch: float | None
    """Images answered together, the mean over requests."""
    cpu: float | None
    rss_mb: float | None
    generator_cpu: float
    generator_bound: bool
    """The load generator was too slow: the rate is no throughput of the server."""
    steady: bool
    note: str = ""
    refused_p99: float | None = None
    """How long the refusals took."""
    within_slo: float | None = None
    """The highest rate per second that keeps the SLO, 0 if none that was tried does; of goodput."""
    recovered_s: float | None = None
    """How long after an overload requests still failed or took long, or how long was looked at."""
    recovered: bool | None = None
    """Whether they no longer did before that was over."""

    def as_dict(self) -> dict[str, Any]:
        """Flat, for CSV and JSON."""
        values = asdict(self)
        return {**values.pop("case"), **values}


def row_from(values: dict[str, Any]) -> Row:
    """The row that `as_dict` gave."""
    names = [entry.name for entry in fields(Case)]
    rest: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return Row(case=Case(**{name: rest.pop(name) for name in names}), **rest)


def summarise(case: Case, samples: Sequence[Samples], usages: Sequence[Usage], ceiling: float, note: str = "") -> Row:
    """One row of the repeats' `samples`; `usages` is empty for a server whose processes are not known."""
    rates = tuple(sample.throughput for sample in samples)
    low, high = interval(rates) or (None, None)
    latencies = np.concatenate([sample.latencies_ms for sample in samples])
    answered = np.concatenate([sample.answered for sample in samples])
    mean = statistics.fmean(rates)
    return Row(
        case=case,
        images_s=mean,
        low=low,
        high=high,
        repeats=rates,
        repeats_p50=tuple(float(np.median(one.latencies_ms)) for one in samples if len(one.answered)),
        of_ceiling=mean / ceiling,
        p50=percentile(latencies, 50),
        p90=percentile(latencies, 90),
        p95=percentile(latencies, 95),
        p99=percentile(latencies, 99),
        p999=percentile(latencies, 99.9),
        max=float(latencies.max()) if len(latencies) else None,
        ok=_count(samples, Outcome.OK),
        wrong=_count(samples, Outcome.WRONG),
        shed=_count(samples, Outcome.SHED),
        timeout=_count(samples, Outcome.TIMEOUT),
        error=_count(samples, Outcome.ERROR),
        decode=_median(answered["decode_ms"]),
        queue=_median(answered["queue_ms"]),
        inference=_median(answered["inference_ms"]),
        batch=_mean(answered["batch"]),
        cpu=statistics.fmean(usage.cpu for usage in usages) if usages else None,
        rss_mb=max(usage.rss_mb for usage in usages) if usages else None,
        generator_cpu=max(sample.generator_cpu for sample in samples),
        generator_bound=any(is_generator_bound(sample) for sample in samples),
        steady=all(is_steady(one.answered["done"], one.latencies_ms, one.seconds) for one in samples),
        note=note,
        refused_p99=percentile(np.concatenate([sample.refusals_ms for sample in samples]), 99),
    )


def _count(samples: Sequence[Samples], outcome: Outcome) -> int:
    return sum(sample.count(outcome) for sample in samples)


def is_generator_bound(sample: Samples) -> bool:
    """Whether the generator had no processor left, or sent requests later than they were due."""
    late = len(sample.rows) > 0 and float(np.percentile(sample.lateness_ms, 95)) > GENERATOR_LATENESS_MS
    return late or sample.generator_cpu > GENERATOR_CPU


def _median(values: NDArray[np.float32]) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None


def _mean(values: NDArray[np.float32]) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.mean(known)) if len(known) else None
