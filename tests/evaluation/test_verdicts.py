from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evaluation.metrics import score
from evaluation.verdicts import Evidence, is_still_improving, judge
from tests.evaluation.simulated import answers_of


def scores(right: int, images: int, views: int = 1) -> dict[str, Any]:
    """Figures on two classes of equal size, `right` of `images` right, the wrong ones spread over both."""
    targets = np.arange(images) % 2
    answered = np.where(np.arange(images) < right, targets, 1 - targets)
    answers = answers_of(answered, targets, np.arange(images) // views, classes=2)
    return score(answers, ["ill", "well"]).as_dict()


GOOD = Evidence(split="test", scores=scores(190, 200))


def said(evidence: Evidence, start: str) -> str:
    """The one sentence that starts so, or nothing."""
    (found,) = [sentence for sentence in judge(evidence) if sentence.startswith(start)] or [""]
    return found


def test_nothing_is_said_of_a_good_model() -> None:
    assert judge(GOOD) == []


def test_no_better_than_chance() -> None:
    sentence = said(replace(GOOD, scores=scores(104, 200)), "Not shown to be better than chance")
    assert "on 200 test images, accuracy is 0.520, and always answering ill gives 0.500" in sentence
    assert "p = 0.31" in sentence
    assert "reasons" not in sentence


def test_a_weak_model_is_not_said_to_have_learned_nothing() -> None:
    assert "nothing" not in " ".join(judge(replace(GOOD, scores=scores(115, 200))))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"random_weights": True}, "random weights"),
        ({"random_weights": True, "steps": 60}, "60 steps are few"),
        ({"validation_losses": [0.9, 0.8, 0.6, 0.5], "best_epoch": 4}, "was still improving when training ended"),
        ({"scores": scores(12, 20)}, "too few to show it"),
    ],
)
def test_likely_reasons_are_given(change: dict[str, Any], reason: str) -> None:
    weak = replace(GOOD, scores=scores(104, 200), steps=1000)
    assert reason in said(replace(weak, **change), "Not shown")
    assert reason not in said(weak, "Not shown")


def test_a_good_model_on_few_images_lacks_only_images() -> None:
    few = replace(GOOD, scores=scores(6, 6), random_weights=True, validation_losses=[1.0, 0.5], best_epoch=2)
    assert said(few, "Not shown").endswith("Likely reasons: the images are too few to show it.")
    assert not said(few, "The model was still improving")


def test_few_steps_are_no_reason_with_learned_weights() -> None:
    assert "steps" not in said(replace(GOOD, scores=scores(104, 200), steps=60), "Not shown")


def test_memorised() -> None:
    gap = replace(GOOD, split="validation", training=scores(990, 1000), validation=scores(81, 100))
    assert "answers 0.990 of them right, but only 0.810" in said(gap, "The model has memorised")


@pytest.mark.parametrize("held_out", [scores(96, 100), scores(9, 10), scores(97, 100)])
def test_a_gap_within_the_intervals_is_not_memorised(held_out: dict[str, Any]) -> None:
    assert not said(replace(GOOD, training=scores(990, 1000), validation=held_out), "The model has memorised")


def test_the_validation_images_chose_the_epoch() -> None:
    trained = replace(GOOD, split="validation", validation_losses=[0.5, 0.4, 0.45], best_epoch=2)
    assert said(trained, "The validation images chose the best epoch")
    assert not said(replace(trained, split="test"), "The validation images")
    assert not said(replace(trained, validation_losses=()), "The validation images")


def test_looks_at_the_test_images_are_counted() -> None:
    assert "by 3 runs" in said(replace(GOOD, looks=3), "The test images have been looked at")
    assert not said(replace(GOOD, looks=1), "The test images")
    assert not said(replace(GOOD, looks=3, split="validation"), "The test images")


def test_too_few_images_to_say() -> None:
    assert "with 30 test images, the accuracy may be anywhere between 0.62" in said(
        replace(GOOD, scores=scores(24, 30)), "Too few images"
    )
    assert "with 200 test images of 20 objects" in said(replace(GOOD, scores=scores(160, 200, views=10)), "Too few")


def classes(**change: object) -> Evidence:
    """The good model with one more class, which is changed."""
    row: dict[str, object] = {"label": "rare", "images": 5, "answered": 4, "recall": 0.8} | change
    return replace(GOOD, scores={**GOOD.scores, "per_class": [*GOOD.scores["per_class"], row]})


def test_classes_that_are_never_answered_recognised_or_measured() -> None:
    assert judge(classes()) == []
    assert judge(classes(answered=0, recall=0.0)) == [
        "Never answered on the test images, though there are some of it: rare."
    ]
    assert judge(classes(recall=0.0)) == ["No test image was recognised (recall 0) of: rare."]
    assert judge(classes(images=0, answered=0, recall=0.0)) == [
        "Nothing is known of classes without test images: rare."
    ]


def test_many_classes_are_named_in_short() -> None:
    row = {"images": 5, "answered": 0, "recall": 0.0}
    many = {**GOOD.scores, "per_class": [{"label": str(index), **row} for index in range(1000)]}
    assert judge(replace(GOOD, scores=many))[0].endswith(": 0, 1, 2, 3, 4 and 995 more.")


def test_still_improving() -> None:
    falling = replace(GOOD, scores=scores(160, 200), validation_losses=[1.0, 0.8, 0.7, 0.6], best_epoch=4)
    assert said(falling, "The model was still improving")
    assert not said(replace(falling, scores=scores(200, 200)), "The model was still improving")


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        ([], None),
        ([0.5], 1),
        ([1.0, 0.8, 0.7, 0.6], 3),  # another epoch is the best
        ([1.0, 0.6, 0.59, 0.59], 4),  # level
        ([1.0, 0.6, 0.5, 0.55], 4),  # rising
    ],
)
def test_not_still_improving(losses: list[float], best: int | None) -> None:
    assert not is_still_improving(losses, best)
