import pytest
from scipy.stats import binom

from evaluation.gate.bounds import lower_bound, objects_needed, upper_bound


@pytest.mark.parametrize(("lost", "objects"), [(0, 20), (1, 50), (3, 400), (40, 41)])
def test_at_the_bound_so_few_losses_are_as_rare_as_the_confidence_says(lost: int, objects: int) -> None:
    bound = upper_bound(lost, objects, 0.95)
    assert binom.cdf(lost, objects, bound) == pytest.approx(0.05)


@pytest.mark.parametrize(("lost", "objects"), [(1, 50), (3, 400), (41, 41)])
def test_at_the_lower_bound_so_many_losses_are_as_rare(lost: int, objects: int) -> None:
    bound = lower_bound(lost, objects, 0.95)
    assert binom.sf(lost - 1, objects, bound) == pytest.approx(0.05)
    assert lower_bound(0, objects, 0.95) == 0


def test_where_nothing_was_lost_the_bound_is_above_nothing() -> None:
    assert upper_bound(0, 299, 0.95) == pytest.approx(1 - 0.05 ** (1 / 299))
    assert upper_bound(0, 0, 0.95) == upper_bound(5, 5, 0.95) == 1


@pytest.mark.parametrize(("lost", "max_loss", "needed"), [(0, 0.01, 299), (1, 0.01, 473), (0, 0.02, 149), (0, 0.1, 29)])
def test_the_fewest_objects_that_can_admit(lost: int, max_loss: float, needed: int) -> None:
    assert objects_needed(lost, max_loss, 0.95) == needed
    assert upper_bound(lost, needed, 0.95) <= max_loss < upper_bound(lost, needed - 1, 0.95)
