from dataclasses import replace
from pathlib import Path

import pytest

from training.config import TrainConfig
from training.recipe.plan import make_plan, usual_batch

CONFIG = TrainConfig(data=Path(), run="r", weights="none")


@pytest.mark.parametrize(
    ("images", "batch"), [(3, 8), (228, 8), (319, 8), (320, 16), (639, 16), (640, 32), (10**6, 32)]
)
def test_the_batch_follows_the_size_of_the_set(images: int, batch: int) -> None:
    assert usual_batch(images) == batch


def test_a_small_set_from_scratch_gets_enough_steps() -> None:
    plan = make_plan(CONFIG, [100, 128])
    assert (plan.batch, plan.steps_per_epoch, plan.epochs) == (8, 28, 72)
    assert plan.steps >= 2000
    assert sum(plan.is_validated(epoch) for epoch in range(1, plan.epochs + 1)) <= 30
    assert plan.is_validated(plan.epochs)


def test_a_large_set_is_seen_often_enough() -> None:
    assert make_plan(CONFIG, [50_000, 50_000]).epochs == 20
    assert make_plan(replace(CONFIG, weights="imagenet"), [50_000, 50_000]).epochs == 4


def test_trained_weights_need_fewer_steps() -> None:
    assert 400 <= make_plan(replace(CONFIG, weights="imagenet"), [100, 128]).steps < 430


def test_what_was_asked_for_is_done() -> None:
    assert make_plan(replace(CONFIG, epochs=7, batch=16), [100, 128]).steps == 7 * 14
    assert make_plan(replace(CONFIG, steps=50), [100, 128]).epochs == 2
    assert make_plan(replace(CONFIG, patience=0), [100, 128]).patience == 0


def test_a_set_smaller_than_a_batch_is_one_batch() -> None:
    plan = make_plan(replace(CONFIG, epochs=3), [2, 2])
    assert (plan.batch, plan.steps_per_epoch) == (4, 1)


@pytest.mark.parametrize(
    ("asked", "counts", "balance"),
    [
        ("auto", [30, 10], "none"),
        ("auto", [31, 10], "sample"),
        ("none", [31, 10], "none"),
        ("adjust", [9, 9], "adjust"),
    ],
)
def test_classes_are_balanced_from_three_to_one_on(asked: str, counts: list[int], balance: str) -> None:
    assert make_plan(replace(CONFIG, balance=asked), counts).balance == balance  # type: ignore[arg-type]
