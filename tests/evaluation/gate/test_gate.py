"""Planted modes: one that loses answers, one that loses none, with few and with many images to judge by."""

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.gate.gate import Pairs, judge

LABELS = ["healthy", "rust"]


def answers(classes: NDArray[np.int64], sureness: float = 0.9) -> NDArray[np.float32]:
    """Probabilities by which `classes` [N] are answered."""
    return np.where(np.arange(2) == classes[:, None], sureness, 1 - sureness).astype(np.float32)


def planted(
    objects: int, lost: float = 0.0, views: int = 1, labelled: float = 1.0, wrong: float = 0.0, seed: int = 0
) -> Pairs:
    """`objects` with so many views each; fp32 is `wrong` in a share of them, the mode answers `lost` of them otherwise.

    Losses and mistakes are of the last and the first objects; the labels of the first `labelled` count.
    """
    targets = np.random.default_rng(seed).integers(0, 2, objects)
    reference = np.where(np.arange(objects) < wrong * objects, 1 - targets, targets)
    fast = np.where(np.arange(objects) >= objects - round(lost * objects), 1 - reference, reference)
    counted = np.where(np.arange(objects) < labelled * objects, targets, -1)
    each = np.repeat(np.arange(objects), views)
    return Pairs(
        reference=answers(reference)[each], fast=answers(fast, 0.8)[each], targets=counted[each], clusters=each
    )


def test_a_mode_that_changes_three_answers_in_a_hundred_is_refused_however_many_there_are() -> None:
    for objects in (100, 1000, 10_000):
        verdict = judge(planted(objects, lost=0.03), LABELS, max_loss=0.01)
        assert not verdict.admitted
        assert (verdict.lost, verdict.objects) == (round(0.03 * objects), objects)
        assert verdict.bound > 0.03
        assert "allowed are 1" in verdict.problems[0]


def test_a_mode_that_changes_nothing_is_refused_with_twenty_objects_and_admitted_with_four_hundred() -> None:
    few, many = (judge(planted(objects), LABELS, max_loss=0.01) for objects in (20, 400))
    assert not few.admitted
    assert few.problems == [
        "0 of 20 objects are lost, so up to 13.91 points of accuracy may be, and allowed are 1: it would take 279 more "
        "pictures of other objects without a loss (EVIDENCE=folder)"
    ]
    assert many.admitted
    assert many.bound == pytest.approx(1 - 0.05 ** (1 / 400))


def test_many_views_of_few_objects_are_few_objects() -> None:
    assert not judge(planted(20, views=20), LABELS, max_loss=0.01).admitted


def test_one_lost_view_loses_its_object_once() -> None:
    pairs = planted(500, lost=1 / 500, views=3)
    assert judge(pairs, LABELS, max_loss=0.01).lost == 1


def test_agreement_on_images_without_labels_counts_where_labels_are_too_few() -> None:
    verdict = judge(planted(400, labelled=0.25), LABELS, max_loss=0.01)
    assert verdict.admitted
    assert verdict.evidence == "validation and agreement with fp32"
    assert (verdict.objects, verdict.figures["validation"]["images"]) == (400, 100)


def test_without_labels_every_change_is_a_loss_and_with_them_only_one_of_a_right_answer() -> None:
    unlabelled = judge(planted(1000, lost=0.02, labelled=0), LABELS, max_loss=0.01)
    assert (unlabelled.evidence, unlabelled.lost, unlabelled.admitted) == ("agreement with fp32", 20, False)
    # fp32 is wrong wherever the mode differs, which is therefore right.
    mended = judge(planted(1000, lost=1.0, wrong=1.0), LABELS, max_loss=0.01)
    assert (mended.lost, mended.admitted) == (0, True)
    assert mended.figures["validation"]["accuracy"] == [0.0, 1.0]


def test_enough_labelled_images_decide_alone() -> None:
    pairs = planted(1000, labelled=0.5, lost=0.3)  # all changes are of images without a label
    verdict = judge(pairs, LABELS, max_loss=0.01)
    assert (verdict.evidence, verdict.objects, verdict.lost, verdict.admitted) == ("validation", 500, 0, True)
    assert verdict.figures["agreement"]["same"] == 700


def test_no_class_may_lose_what_the_whole_set_can_bear() -> None:
    pairs = planted(2000)
    targets = np.zeros(2000, np.int64)
    targets[-3:] = 1  # three images of a rare class, all answered as the other
    fast = np.zeros(2000, np.int64)
    pairs = Pairs(reference=answers(targets), fast=answers(fast), targets=targets, clusters=pairs.clusters)
    verdict = judge(pairs, LABELS, max_loss=0.01)
    assert verdict.bound < 0.01
    assert verdict.problems == ["rust loses 3 of its 3 validation images"]
    assert verdict.figures["validation"]["recall"] == {"healthy": [1.0, 1.0], "rust": [1.0, 0.0]}


def test_a_class_without_validation_images_is_left_out_of_the_figures() -> None:
    verdict = judge(planted(400), [*LABELS, "blight"], max_loss=0.01)
    assert verdict.admitted
    assert set(verdict.figures["validation"]["recall"]) == set(LABELS)


def test_no_images_at_all_admit_nothing() -> None:
    verdict = judge(planted(0), LABELS, max_loss=0.01)
    assert (verdict.evidence, verdict.bound, verdict.admitted) == ("no images", 1.0, False)
    assert "it would take 299 more pictures" in verdict.problems[0]


def test_the_largest_difference_of_a_probability_is_known() -> None:
    verdict = judge(planted(10), LABELS, max_loss=0.5)
    assert verdict.drift == pytest.approx(0.1)
    assert verdict.figures["validation"]["brier"] == pytest.approx([0.02, 0.08])


def test_of_refused_modes_some_that_are_as_good_as_fp32_and_few_that_are_not_are_admitted() -> None:
    """The promise of the bound: a mode that loses more than allowed is admitted in at most one of twenty draws."""
    rng = np.random.default_rng(0)
    admitted = [_drawn(rng, 400, 0.0125) for _ in range(400)]
    assert sum(admitted) / len(admitted) < 0.05


def _drawn(rng: np.random.Generator, objects: int, loss: float) -> bool:
    lost = rng.random(objects) < loss
    targets = np.zeros(objects, np.int64)
    fast = lost.astype(np.int64)
    pairs = Pairs(reference=answers(targets), fast=answers(fast), targets=targets, clusters=np.arange(objects))
    return judge(pairs, ["all", "none"], max_loss=0.01).admitted
