from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from evaluation.answers import Answers
from evaluation.compare.paired import compare_pair, mcnemar, sign_flip_test, tango_interval
from tests.effort import times
from tests.evaluation.simulated import answers_of


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two models, right with the probabilities `first` and `second`, that agree more often the larger `alike` is.

    Objects have `views` images each; with the probability `likeness`, all of them get the same answers.
    """

    shares: tuple[float, ...] = (0.25,) * 4
    first: tuple[float, ...] = (0.8,) * 4
    second: tuple[float, ...] = (0.85,) * 4
    alike: float = 0.7
    views: int = 1
    likeness: float = 0.0

    @property
    def differences(self) -> dict[str, float]:
        """The true differences of accuracy and macro-F1."""
        shares = np.array(self.shares)
        f1 = []
        for recalls in (self.first, self.second):
            joint = np.tile(((1 - np.array(recalls)) / (len(shares) - 1) * shares)[:, None], len(shares))
            np.fill_diagonal(joint, recalls * shares)
            f1.append(np.mean(2 * joint.diagonal() / (joint.sum(axis=0) + joint.sum(axis=1))))
        return {"accuracy": float(shares @ self.second - shares @ self.first), "macro_f1": float(f1[1] - f1[0])}

    def draw(self, objects: int, rng: np.random.Generator) -> tuple[Answers, Answers]:
        """So many objects of it."""
        targets = np.repeat(rng.choice(len(self.shares), objects, p=self.shares), self.views)
        together = np.repeat(rng.random(objects) < self.likeness, self.views)
        one, other = self._levels(together, objects, rng), self._levels(together, objects, rng)
        other = np.where(self._levels(together, objects, rng) < self.alike, one, other)
        first, second = (
            self._answers(targets, level < np.array(recalls)[targets], rng)
            for level, recalls in ((one, self.first), (other, self.second))
        )
        return first, second

    def _levels(self, together: NDArray[np.bool_], objects: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return np.where(together, np.repeat(rng.random(objects), self.views), rng.random(len(together)))

    def _answers(self, targets: NDArray[np.int64], right: NDArray[np.bool_], rng: np.random.Generator) -> Answers:
        count = len(self.shares)
        wrong = (targets + 1 + rng.integers(0, count - 1, len(targets))) % count
        clusters = np.arange(len(targets)) // self.views
        return answers_of(np.where(right, targets, wrong), targets, clusters, classes=count)


PLAIN = Pair()
VIEWS = Pair(views=5, likeness=0.8)
RARE = Pair(shares=(0.9, 0.1), first=(0.95, 0.5), second=(0.95, 0.6))
EQUAL = Pair(first=(0.85,) * 4, second=(0.85,) * 4, views=3, likeness=0.8)


def test_tango_interval_inverts_his_score_test() -> None:
    better, worse, pairs = 12.0, 5.0, 80.0
    for shift in tango_interval(better, worse, pairs):
        linear = (2 * pairs - better + worse) * shift - better - worse
        share = (np.sqrt(linear**2 + 8 * pairs * worse * shift * (1 - shift)) - linear) / (4 * pairs)
        score = (better - worse - pairs * shift) / np.sqrt(pairs * (2 * share + shift * (1 - shift)))
        assert abs(score) == pytest.approx(1.959964, abs=1e-5)


def test_tango_interval_turns_round_with_the_models() -> None:
    low, high = tango_interval(12, 5, 80)
    assert tango_interval(5, 12, 80) == pytest.approx((-high, -low), abs=1e-9)


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (1, 0), (0, 3), (40, 0), (40, 40), (0, 80)])
def test_tango_interval_holds_the_difference_and_stays_in_bounds(better: float, worse: float) -> None:
    low, high = tango_interval(better, worse, 80)
    assert -1 <= low <= (better - worse) / 80 <= high <= 1
    assert high > low


def test_mcnemar_is_the_binomial_test_of_those_that_differ() -> None:
    assert mcnemar(2, 10) == pytest.approx(2 * binom.cdf(2, 12, 0.5))
    assert mcnemar(0, 0) == 1
    assert mcnemar(4, 4) == 1


def test_without_clusters_sign_flips_are_mcnemars_test() -> None:
    differences = np.repeat([-1, 0, 1], [3, 20, 12])
    assert sign_flip_test(differences, np.arange(35)) == pytest.approx(mcnemar(3, 12))


def test_sign_flips_count_every_way_to_flip_the_objects() -> None:
    differences, clusters = np.array([1, 1, 1, -1, 1, 1]), np.array([0, 0, 0, 1, 2, 2])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1)
    sums = np.abs(np.array([3, -1, 2]) @ signs)
    assert sign_flip_test(differences, clusters) == pytest.approx((sums >= 4).mean())


def test_sign_flips_of_many_objects_of_many_sizes_are_quick_and_a_probability() -> None:
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 20_000, 100_000)
    assert 0.001 < sign_flip_test(rng.integers(-1, 2, 100_000), clusters) <= 1


def test_models_that_agree_everywhere_leave_the_difference_open() -> None:
    answers, _ = PLAIN.draw(50, np.random.default_rng(0))
    paired = compare_pair(answers, answers, (1.0, 1.0))
    assert paired.accuracy.difference == paired.macro_f1.difference == paired.loss.difference == 0
    assert paired.p_value == 1
    limit = 1.959964**2 / (50 + 1.959964**2)  # Tango 1998, where no pair differs
    assert paired.accuracy.interval == pytest.approx((-limit, limit), abs=1e-6)
    assert paired.macro_f1.interval[0] <= -limit < limit <= paired.macro_f1.interval[1]


def test_images_are_counted_by_who_is_right() -> None:
    targets = np.arange(8) % 2
    one, other = (answers_of(np.array(given), targets, classes=2) for given in (
        [0, 1, 0, 1, 1, 0, 0, 0], [0, 1, 1, 0, 0, 1, 0, 0]))  # fmt: skip
    paired = compare_pair(one, other, (1.0, 1.0))
    assert (paired.both_right, paired.only_first, paired.only_second, paired.both_wrong) == (3, 2, 2, 1)


def test_answers_to_other_images_are_not_compared() -> None:
    answers, _ = PLAIN.draw(50, np.random.default_rng(0))
    other, _ = PLAIN.draw(50, np.random.default_rng(1))
    with pytest.raises(ValueError, match="not to the same images"):
        compare_pair(answers, other, (1.0, 1.0))


@pytest.mark.proof
@pytest.mark.parametrize(("pair", "objects"), [(PLAIN, 160), (VIEWS, 120), (RARE, 200)])
def test_paired_intervals_hold_the_true_difference_as_often_as_they_say(pair: Pair, objects: int) -> None:
    draws, rng, held = times(80, 1000), np.random.default_rng(0), np.zeros(2)
    true = pair.differences
    for _ in range(draws):
        paired = compare_pair(*pair.draw(objects, rng), (1.0, 1.0))
        found = (paired.accuracy.interval, paired.macro_f1.interval)
        held += [low <= value <= high for (low, high), value in zip(found, true.values(), strict=True)]
    # Of 1,000 draws, 92 to 98 in 100; of few draws, as many as chance allows around that.
    slack = 0 if draws >= 1000 else 2 * np.sqrt(0.95 * 0.05 / draws)
    assert (held / draws >= 0.92 - slack).all()
    assert (held / draws <= 0.98 + slack).all()


@pytest.mark.proof
def test_few_objects_give_intervals_that_are_too_wide_rather_than_too_narrow() -> None:
    draws, rng, held = times(80, 1000), np.random.default_rng(0), 0
    for _ in range(draws):
        low, high = compare_pair(*VIEWS.draw(25, rng), (1.0, 1.0)).accuracy.interval
        held += low <= VIEWS.differences["accuracy"] <= high
    assert held / draws >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / draws)


@pytest.mark.proof
def test_equal_models_are_rarely_called_different() -> None:
    draws, rng = times(200, 2000), np.random.default_rng(0)
    pairs = [EQUAL.draw(100, rng) for _ in range(draws)]
    by_object, by_image = (
        np.mean([p < 0.05 for p in found])
        for found in zip(
            *(
                (sign_flip_test(differences, one.clusters), mcnemar(*np.bincount(differences + 1, minlength=3)[[0, 2]]))
                for one, other in pairs
                for differences in [(other.answered == other.targets).astype(np.int64) - (one.answered == one.targets)]
            ),
            strict=True,
        )
    )
    assert by_object <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
    assert by_image > 0.09  # images of one object are no independent evidence


def test_intervals_of_folds_are_wider_about_the_same_difference() -> None:
    rng = np.random.default_rng(5)
    targets = rng.integers(0, 2, 60)
    one, two = (Answers(logits=rng.normal(size=(60, 2)).astype(np.float32), targets=targets) for _ in range(2))
    alone, folds = (compare_pair(one, two, (1.0, 1.0), count) for count in (0, 5))
    for before, after in ((alone.accuracy, folds.accuracy), (alone.macro_f1, folds.macro_f1), (alone.loss, folds.loss)):
        assert after.difference == before.difference
        widths = [high - low for low, high in (before.interval, after.interval)]
        assert widths[1] / widths[0] == pytest.approx((1 + 2 / 5) ** 0.5)
