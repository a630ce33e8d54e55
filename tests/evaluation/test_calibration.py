import numpy as np
import pytest

from evaluation.answers import Answers
from evaluation.calibration import (
    TEMPERATURES,
    brier_scores,
    calibration_error,
    cross_entropy,
    expected_calibration_error,
    fit_temperature,
    losses,
)


def honest_answers(images: int, seed: int = 0, boast: float = 1.0, spread: float = 2.0) -> Answers:
    """Answers whose probabilities are true, with logits then multiplied by `boast`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (images, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = (rng.random((images, 1)) > shares.cumsum(axis=1)[:, :2]).sum(axis=1)
    return Answers(logits=(logits * boast).astype(np.float32), targets=targets)


def all_right(images: int) -> Answers:
    targets = np.arange(images) % 3
    return Answers(logits=np.eye(3, dtype=np.float32)[targets] * 5, targets=targets)


def test_cross_entropy_of_even_logits_is_the_logarithm_of_the_classes() -> None:
    even = Answers(logits=np.zeros((2, 3), np.float32), targets=np.array([2, 2]))
    assert cross_entropy(even) == pytest.approx(np.log(3))
    assert losses(even) == pytest.approx([np.log(3)] * 2)


def test_brier_scores_of_even_certain_and_wrong_answers() -> None:
    logits = np.array([[0, 0], [50, 0], [50, 0]], np.float32)
    assert brier_scores(Answers(logits=logits, targets=np.array([0, 0, 1]))) == pytest.approx([0.5, 0, 2])


def test_fit_temperature_finds_the_one_that_was_hidden() -> None:
    boastful = honest_answers(20_000, boast=3)
    assert fit_temperature(boastful) == pytest.approx(3, rel=0.05)
    assert expected_calibration_error(boastful, 3) < 0.02 < expected_calibration_error(boastful, 1)


@pytest.mark.parametrize("images", [3, 40, 300])
def test_images_that_are_all_right_do_not_ask_for_certainty_without_end(images: int) -> None:
    assert TEMPERATURES[0] * 1.1 < fit_temperature(all_right(images)) < 1


def test_forty_images_do_not_push_the_temperature_to_a_bound() -> None:
    """Without the prior, a good model's temperature sits on its bound in most draws: all 40 images are right."""
    found = [fit_temperature(honest_answers(40, seed, boast=0.3, spread=20)) for seed in range(100)]
    assert all(1.05 * TEMPERATURES[0] < temperature < 2 for temperature in found)


def test_images_of_one_object_are_one_observation() -> None:
    answers = all_right(40)
    one = Answers(logits=answers.logits, targets=answers.targets, clusters=np.zeros(40, np.int64))
    assert fit_temperature(answers) < fit_temperature(one) < 1


def test_the_calibration_error_of_few_images_is_not_given() -> None:
    assert calibration_error(honest_answers(499)) is None
    assert calibration_error(honest_answers(500)) is not None


def test_honest_probabilities_show_about_what_chance_alone_shows() -> None:
    found = calibration_error(honest_answers(600))
    assert found
    assert 0.005 < found.if_honest < found.if_honest_high < 0.1
    assert found.error < 1.2 * found.if_honest_high


def test_boastful_probabilities_show_more() -> None:
    found = calibration_error(honest_answers(600, boast=3))
    assert found
    assert found.error > 1.5 * found.if_honest_high
