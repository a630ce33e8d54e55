"""The statistics, on samples whose figures are known."""

import numpy as np
import pytest

from benchmarks.report.figures import interval, is_steady, percentile, slope_per_hour

RANDOM = np.random.default_rng(0)


def test_a_percentile_of_a_known_distribution() -> None:
    latencies = RANDOM.exponential(100, 200_000)
    for q in (50, 90, 99, 99.9):
        assert percentile(latencies, q) == pytest.approx(-100 * np.log(1 - q / 100), rel=0.05)


@pytest.mark.parametrize(("q", "needed"), [(50, 10), (90, 50), (99, 500), (99.9, 5000)])
def test_a_percentile_that_the_samples_do_not_carry_is_refused(q: float, needed: int) -> None:
    assert percentile(np.arange(needed - 1.0), q) is None
    assert percentile(np.arange(needed + 1.0), q) is not None


def test_the_interval_is_students() -> None:
    assert interval([9.0, 10.0, 11.0]) == pytest.approx((10 - 2.484, 10 + 2.484), abs=0.001)
    assert interval([10.0, 10.0]) is None


def test_the_interval_holds_the_mean_95_times_in_100() -> None:
    draws = RANDOM.normal(50, 5, (2000, 3))
    inside = [low <= 50 <= high for low, high in (interval(list(draw)) or (0, 0) for draw in draws)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_an_even_stream_is_steady_and_a_fading_one_is_not() -> None:
    even = np.linspace(0.01, 9.99, 300)
    assert is_steady(even, np.full(300, 20.0), 10)
    assert not is_steady(even, np.linspace(10, 100, 300), 10)  # latency grows
    assert not is_steady(even**2 / 10, np.full(300, 20.0), 10)  # answers thin out
    assert not is_steady(even[:90], np.full(90, 20.0), 10)  # the last window is empty


def test_a_leak_has_a_slope_and_noise_has_none() -> None:
    seconds = np.arange(0, 120, 0.25)
    noise = RANDOM.normal(500, 1, len(seconds))
    slope, upper = slope_per_hour(seconds, noise + seconds)
    assert (slope, upper) == pytest.approx((3600, 3600), rel=0.05)
    still, bound = slope_per_hour(seconds, noise)
    assert abs(still) < 60
    assert bound > still
