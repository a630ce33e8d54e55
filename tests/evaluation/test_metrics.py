import numpy as np
import pytest

from evaluation.answers import Answers
from evaluation.metrics import (
    cross_entropy,
    expected_calibration_error,
    fit_temperature,
    score,
    wilson_interval,
)


def evaluation(answers: list[int], targets: list[int], confidence: float = 5.0) -> Answers:
    logits = np.eye(3, dtype=np.float32)[answers] * confidence
    return Answers(logits=logits, targets=np.array(targets))


def test_score_counts_each_class() -> None:
    scores = score(evaluation([0, 0, 1, 1, 2], [0, 0, 1, 2, 2]), ["a", "b", "c"])
    assert scores.accuracy == 0.8
    assert scores.confusion == [[2, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert [(row.label, row.images, row.precision, row.recall) for row in scores.per_class] == [
        ("a", 2, 1.0, 1.0), ("b", 1, 0.5, 1.0), ("c", 2, 1.0, 0.5)
    ]  # fmt: skip
    assert scores.macro_f1 == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)


def test_wilson_interval_matches_the_published_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_cross_entropy_of_even_logits_is_the_logarithm_of_the_classes() -> None:
    assert cross_entropy(evaluation([0, 1], [2, 2], confidence=0)) == pytest.approx(np.log(3))


def test_fit_temperature_finds_the_one_that_was_hidden() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (20_000, 3))
    probabilities = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    targets = np.array([rng.choice(3, p=row) for row in probabilities])
    boastful = Answers(logits=(honest * 3).astype(np.float32), targets=targets)
    assert fit_temperature(boastful) == pytest.approx(3, rel=0.05)
    assert expected_calibration_error(boastful, 3) < 0.02 < expected_calibration_error(boastful, 1)


def test_fit_temperature_is_bounded_when_all_is_right() -> None:
    assert fit_temperature(evaluation([0, 1, 2], [0, 1, 2])) == pytest.approx(0.2, rel=0.01)
