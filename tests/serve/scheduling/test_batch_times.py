"""What batches took in, what the next will take out."""

import time
from unittest import mock

import pytest

from serve.scheduling.batch_times import BatchTimes


@pytest.mark.parametrize(("images", "size"), [(0, 1), (1, 1), (2, 2), (3, 2), (7, 4), (8, 8), (99, 8)])
def test_a_batch_is_the_largest_that_is_filled(images: int, size: int) -> None:
    assert BatchTimes({8: 0.8, 1: 0.1, 2: 0.2, 4: 0.4}).bucket(images) == size


def test_times_follow_what_is_seen_for_every_size() -> None:
    times = BatchTimes({1: 0.1, 8: 0.6})
    for _ in range(60):
        times.observe(8, 1.2)
    assert times.seconds(8) == pytest.approx(1.2, rel=0.01)
    assert times.seconds(1) == pytest.approx(0.2, rel=0.01)


def test_a_stall_is_forgotten_and_closes_nothing() -> None:
    times = BatchTimes({1: 0.1, 8: 0.6})
    times.observe(1, 100.0)
    assert times.seconds(1) == pytest.approx(0.11)
    assert times.fastest_s == 0.1


def test_what_was_measured_on_a_busy_machine_is_corrected_by_what_is_seen() -> None:
    times = BatchTimes({1: 2.0})
    for _ in range(60):
        times.observe(1, 0.1)
    assert times.fastest_s == pytest.approx(0.1, rel=0.05)


def test_where_nothing_has_run_for_a_while_one_is_tried() -> None:
    """Or everybody who allows less would be refused for ever, which teaches nothing."""
    times = BatchTimes({1: 2.0})
    assert times.fastest_s == 2.0
    with mock.patch("time.perf_counter", return_value=time.perf_counter() + 60):
        assert times.fastest_s == 0.0
        times.observe(1, 2.0)
        assert times.fastest_s == 2.0
