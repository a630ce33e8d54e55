import numpy as np
import pytest

from evaluation.probe.learning_curve import LearningCurve, draw_learning_curve
from evaluation.probe.out_of_fold import Probe
from tests.evaluation.probe.featured import examples


def curve_of(images: int) -> LearningCurve:
    """Three classes that lie close together in 40 dimensions: more images tell them better."""
    rng = np.random.default_rng(images)
    targets = rng.integers(0, 3, images)
    features = rng.normal(size=(images, 40)) + 1.2 * np.eye(3, 40)[targets]
    return draw_learning_curve([Probe(features, examples(targets.tolist()), 5, seed) for seed in range(2)])


def test_more_images_are_expected_to_help_about_as_much_as_they_do() -> None:
    half, whole = curve_of(200), curve_of(400)
    assert half.recalls == sorted(half.recalls)
    assert half.images == [40, 80, 160]
    low, high = half.doubled_interval
    assert low <= whole.recalls[-1] <= high
    assert half.doubled == pytest.approx(whole.recalls[-1], abs=0.08)


def test_features_that_tell_nothing_promise_nothing() -> None:
    rng = np.random.default_rng(5)
    labelled = examples((np.arange(150) % 3).tolist())
    curve = draw_learning_curve([Probe(rng.normal(size=(150, 10)), labelled, 5, seed) for seed in range(3)])
    assert curve.doubled < 0.5
