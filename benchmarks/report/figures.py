"""Samples in, figures one can believe out: percentiles that the samples carry, intervals, and whether it was steady."""

import math
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

# A percentile needs samples beyond it, so that no single stray request makes the figure.
BEYOND = 5
WINDOWS = 3
STEADY = 0.10


def percentile(values: NDArray[np.float64], q: float) -> float | None:
    """The q-th percentile (linear between neighbours), or None where fewer than five samples lie beyond it."""
    if len(values) * (100 - q) / 100 < BEYOND:
        return None
    return float(np.percentile(values, q))


def interval(repeats: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % confidence interval of the mean of the repeats (Student's t); None for fewer than three."""
    if len(repeats) < 3:
        return None
    half = float(stats.t.ppf(0.975, len(repeats) - 1)) * statistics.stdev(repeats) / math.sqrt(len(repeats))
    mean = statistics.fmean(repeats)
    return mean - half, mean + half


def is_steady(done: NDArray[np.float64], latencies_ms: NDArray[np.float64], seconds: float) -> bool:
    """perf_analyzer's test: of three windows none has a rate or a mean latency 10 % above another's."""
    edges = np.linspace(0, seconds, WINDOWS + 1)
    inside = np.digitize(done, edges) - 1
    rates = [float(np.sum(inside == window)) for window in range(WINDOWS)]
    if min(rates) == 0:
        return False
    means = [float(np.mean(latencies_ms[inside == window])) for window in range(WINDOWS)]
    return all(max(values) <= (1 + STEADY) * min(values) for values in (rates, means))


def slope_per_hour(seconds: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float]:
    """The Theil-Sen slope of `values` per hour, and the upper end of its 95 % interval, without the first quarter."""
    start = len(seconds) // 4
    fit = stats.theilslopes(values[start:], seconds[start:], alpha=0.95)
    return 3600 * float(fit.slope), 3600 * float(fit.high_slope)
