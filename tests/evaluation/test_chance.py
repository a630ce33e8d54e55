import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from evaluation.answers import Answers
from evaluation.chance import compare_with_chance
from tests.effort import times
from tests.evaluation.simulated import Population, answers_of

SHARES = [(0.5, 0.5), (0.25,) * 4, (0.95, 0.05), (0.6, 0.3, 0.1)]


def shuffled(shares: tuple[float, ...], images: int, views: int, rng: np.random.Generator) -> Answers:
    """A model's answers with its labels shuffled over the objects: nothing that it can be right about is left."""
    population = Population(shares=shares, recall=(0.9,) * len(shares), views=views, likeness=1)
    answers = population.draw(images, rng)
    objects: NDArray[np.int64] = rng.permutation(answers.targets[::views])
    return Answers(logits=answers.logits, targets=np.repeat(objects, views), clusters=answers.clusters)


@pytest.mark.proof
@pytest.mark.parametrize("views", [1, 5])
@pytest.mark.parametrize("shares", SHARES)
def test_shuffled_labels_are_not_called_better(shares: tuple[float, ...], views: int) -> None:
    rng, draws = np.random.default_rng(0), times(200, 5000)
    called = sum(compare_with_chance(shuffled(shares, 160, views, rng), 0).better for _ in range(draws))
    assert called <= draws / 200


@pytest.mark.parametrize("shares", SHARES)
def test_the_commonest_class_alone_is_not_better(shares: tuple[float, ...]) -> None:
    targets = np.repeat(np.arange(len(shares)), np.rint(np.array(shares) * 200).astype(int))
    assert not compare_with_chance(answers_of(targets * 0, targets, classes=len(shares)), 0).better


@pytest.mark.parametrize(
    ("shares", "recall", "images"),
    [((0.25,) * 4, 0.8, 160), ((0.25,) * 4, 0.9, 40), ((0.5, 0.5), 0.98, 40), ((0.8, 0.2), 1.0, 60)],
)
def test_a_strong_model_is_always_called_better(shares: tuple[float, ...], recall: float, images: int) -> None:
    population, rng = Population(shares=shares, recall=(recall,) * len(shares)), np.random.default_rng(0)
    drawn = (population.draw(images, rng, exact_shares=True) for _ in range(times(200, 5000)))
    assert all(compare_with_chance(answers, 0).better for answers in drawn)


def test_without_clusters_it_is_the_binomial_test() -> None:
    targets = np.repeat([0, 1], 20)
    answered = np.where(np.arange(40) < 10, 1 - targets, targets)
    expected = binom.sf(29, 40, 0.5)
    assert compare_with_chance(answers_of(answered, targets, classes=2), 0).p_value == pytest.approx(expected)


def test_images_of_one_object_count_once() -> None:
    targets = np.repeat([0, 1], 20)
    answers = answers_of(targets, targets, np.repeat(np.arange(8), 5), classes=2)
    assert compare_with_chance(answers, 0).p_value == pytest.approx(2.0**-8)


def test_related_answers_that_are_less_often_right_are_not_better() -> None:
    targets = np.repeat([0, 1], [190, 10])
    answered = np.where(np.arange(200) % 10 == 0, 1 - targets, targets)
    assert compare_with_chance(answers_of(answered, targets, classes=2), 0).p_value > 0.5


def test_another_mix_than_the_training_images_is_no_success() -> None:
    """The model always answers class 1, which is rare in training and common here."""
    targets = np.repeat([0, 1], [10, 90])
    found = compare_with_chance(answers_of(targets * 0 + 1, targets, classes=2), 0)
    assert (found.reference, found.better) == (1, False)


@pytest.mark.parametrize("images", [1, 5])
def test_few_images_show_nothing(images: int) -> None:
    targets = np.arange(images) % 2
    assert not compare_with_chance(answers_of(targets, targets, classes=2), 0).better


def test_no_right_answer_at_all_is_not_better() -> None:
    targets = np.repeat([0, 1], 20)
    assert compare_with_chance(answers_of(1 - targets, targets, classes=2), 0).p_value == 1
