"""How strongly rare classes are favoured, as validation images show it."""

import numpy as np
import pytest

from evaluation.answers import Answers
from evaluation.calibration import fit_adjustment

COUNTS = [900, 100]


def answers(offset: float, images: int = 400, spread: float = 1.5) -> Answers:
    """A model of two Gaussian classes whose logits favour the first class by `offset` too much."""
    rng = np.random.default_rng(0)
    targets = (rng.random(images) < 0.1).astype(np.int64)
    score = rng.normal(spread * (2 * targets - 1), spread)
    logits = np.stack([np.full(images, offset), 2 * score / spread], axis=1).astype(np.float32)
    return Answers(logits=logits, targets=targets)


def test_the_strength_undoes_what_the_model_learned_of_the_shares() -> None:
    learned = float(np.log(0.9 / 0.1))
    assert fit_adjustment(answers(learned), COUNTS, expected=1.0).tau == pytest.approx(1.0, abs=0.25)
    assert fit_adjustment(answers(0.0), COUNTS, expected=0.0).tau == pytest.approx(0.0, abs=0.25)


def test_what_margins_favoured_too_much_is_taken_back() -> None:
    learned = -float(np.log(0.9 / 0.1))
    assert fit_adjustment(answers(learned, 4000), COUNTS, expected=0.0).tau < -0.7


def test_where_images_count_alike_what_was_learned_of_the_shares_is_right() -> None:
    learned = answers(float(np.log(0.9 / 0.1)), 4000)
    strengths = [fit_adjustment(learned, COUNTS, expected=0.5, evenness=evenness).tau for evenness in (0.0, 0.5, 1.0)]
    assert strengths == pytest.approx([0.0, 0.5, 1.0], abs=0.25)


def test_validation_outweighs_what_was_expected_and_few_images_do_not() -> None:
    learned = float(np.log(0.9 / 0.1))
    many, few = (fit_adjustment(answers(learned, images), COUNTS, expected=0.0).tau for images in (4000, 24))
    assert many > 0.7
    assert few < many - 0.1


def test_a_class_without_validation_images_changes_nothing() -> None:
    logits = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    found = fit_adjustment(Answers(logits=logits, targets=np.arange(30) % 2), [20, 20, 0], expected=0.5)
    assert 0 <= found.tau <= 2
    assert found.tau == pytest.approx(0.5, abs=0.02)  # the others are equally common: nothing tells it
    assert np.isfinite(found.offsets).all()
