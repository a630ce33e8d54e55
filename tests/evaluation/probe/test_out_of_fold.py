import numpy as np
import pytest
from sklearn.linear_model import Ridge as Reference

from evaluation.probe.out_of_fold import Probe, choose_strength
from evaluation.probe.ridge import Ridge, code
from tests.evaluation.probe.featured import examples


@pytest.mark.parametrize(("images", "width"), [(30, 80), (80, 30)])
def test_ridge_is_that_of_scikit_learn(images: int, width: int) -> None:
    rng = np.random.default_rng(0)
    features, asked = rng.normal(2, 3, (images, width)), rng.normal(2, 3, (7, width))
    targets = np.arange(images) % 3
    ridge = Ridge.of(features)
    scale = features.std(axis=0) * np.sqrt(width)
    reference = Reference(alpha=0.3, fit_intercept=False)
    reference.fit((features - features.mean(axis=0)) / scale, code(targets, 3))
    expected = reference.predict((asked - features.mean(axis=0)) / scale)
    np.testing.assert_allclose(ridge.answer(ridge.rotate(asked), targets, 3, 0.3), expected, atol=1e-6)


def test_no_image_is_answered_by_a_model_that_has_seen_its_object() -> None:
    """The features are the object's name and nothing else, so whoever has not seen it can't know."""
    rng = np.random.default_rng(1)
    labelled = examples(np.repeat(rng.integers(0, 2, 40), 3).tolist(), of_an_object=3)
    answers = Probe(np.repeat(np.eye(40), 3, axis=0), labelled, 5, seed=0).answers()
    assert (answers.answered == answers.targets).mean() < 0.65
    assert len(set(answers.clusters.tolist())) == 40


def test_a_direction_without_noise_asks_for_less_regularisation_than_one_that_is_weak_everywhere() -> None:
    """One difference of two features says it all, against every feature saying a little."""
    rng = np.random.default_rng(2)
    targets = np.arange(80) % 2
    side = 2.0 * targets - 1
    hidden = rng.normal(size=(80, 10))
    hidden[:, 0] = 3 * hidden[:, 1] + 0.3 * side
    spread = rng.normal(size=(80, 200)) + 0.15 * side[:, None]
    labelled = examples(targets.tolist())
    assert choose_strength(hidden, labelled, 2) < choose_strength(spread, labelled, 2)
