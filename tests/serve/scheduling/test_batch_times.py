"""What batches took in, what the next will take out."""

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
