from collections import Counter

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import binomtest

from evaluation.intervals import (
    bca_interval,
    effective_size,
    resampled_totals,
    share_interval,
    sum_by_cluster,
    wilson_interval,
)
from evaluation.metrics import score
from tests.effort import times
from tests.evaluation.simulated import Population

ALIKE = Population(shares=(0.25,) * 4, recall=(0.8,) * 4)
RARE = Population(shares=(0.9, 0.1), recall=(0.95, 0.5))
VIEWS = Population(shares=(0.25,) * 4, recall=(0.8,) * 4, views=5, likeness=0.8)


def test_wilson_interval_matches_the_published_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (0, 40), (40, 40), (1, 3), (39, 40)])
def test_wilson_interval_is_that_of_scipy(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_images_of_their_own_all_count() -> None:
    hits = np.arange(40) < 30
    assert effective_size(hits, np.arange(40)) == 40
    assert share_interval(hits, np.arange(40)) == wilson_interval(30, 40)


@pytest.mark.parametrize("right", [0, 40])
def test_an_interval_at_none_or_all_right_counts_objects(right: int) -> None:
    hits, clusters = np.arange(40) < right, np.repeat(np.arange(8), 5)
    assert share_interval(hits, clusters) == pytest.approx(wilson_interval(right / 5, 8))


def test_images_answered_alike_count_once_and_others_almost_fully() -> None:
    clusters, rng = np.repeat(np.arange(400), 5), np.random.default_rng(0)
    alike = np.repeat(rng.random(400) < 0.7, 5)
    assert effective_size(alike, clusters) == pytest.approx(400, rel=0.1)
    assert effective_size(rng.permutation(alike), clusters) == pytest.approx(2000, rel=0.2)


def test_clusters_are_resampled_whole() -> None:
    columns = csr_array(np.array([[1.0], [1.0], [1.0], [0.0]]))
    sums = sum_by_cluster(columns, np.array([0, 0, 0, 1]))
    counted = Counter(resampled_totals(sums)[:, 0])
    assert set(counted) == {0.0, 3.0, 6.0}
    assert counted[3.0] / 2000 == pytest.approx(0.5, abs=0.05)


def test_resamples_are_the_same_each_time() -> None:
    sums = csr_array(np.arange(6.0)[:, None])
    assert (resampled_totals(sums) == resampled_totals(sums)).all()


def test_a_bootstrap_without_spread_is_a_point() -> None:
    assert bca_interval(1.0, np.ones(10), np.zeros(3)) == (1.0, 1.0)


def test_an_interval_of_a_skewed_mean_reaches_further_up() -> None:
    values = np.random.default_rng(0).exponential(1, 60)
    sums = csr_array(np.stack([values, np.ones(60)], axis=1))
    totals = resampled_totals(sums)
    low, high = bca_interval(float(values.mean()), totals[:, 0] / totals[:, 1], values - values.mean())
    assert high - values.mean() > values.mean() - low > 0


def coverage(population: Population, images: int, draws: int) -> dict[str, float]:
    """How often each figure's interval holds the true figure."""
    rng, true = np.random.default_rng(0), population.figures
    held: Counter[str] = Counter()
    for _ in range(draws):
        scores = score(population.draw(images, rng), [str(index) for index in range(len(population.shares))]).as_dict()
        held.update(
            name for name in true if scores[f"{name}_interval"][0] <= true[name] <= scores[f"{name}_interval"][1]
        )
    return {name: held[name] / draws for name in true}


@pytest.mark.proof
@pytest.mark.parametrize(("population", "images"), [(ALIKE, 160), (RARE, 100), (VIEWS, 200)])
def test_intervals_hold_the_truth_as_often_as_they_say(population: Population, images: int) -> None:
    draws = times(60, 2000)
    lowest = 0.95 - 3 * np.sqrt(0.95 * 0.05 / draws) - 0.01
    assert all(share >= lowest for share in coverage(population, images, draws).values())


def test_intervals_that_ignore_objects_would_be_too_narrow() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        answers = VIEWS.draw(200, rng)
        low, high = share_interval(answers.answered == answers.targets, np.arange(200))
        held += low <= 0.8 <= high
    assert held / 200 < 0.85
