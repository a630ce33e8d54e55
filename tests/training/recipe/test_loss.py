import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from training.recipe.loss import SMOOTHING, MarginLoss, make_loss

COUNTS = [90, 9, 1]


def test_a_rare_class_must_win_by_the_log_of_how_much_commoner_the_other_is() -> None:
    """Where it does, both answers are equally likely to the loss."""
    loss = MarginLoss([90, 10], smoothing=0.0)
    level = torch.tensor([[0.0, math.log(9)]])
    assert [float(loss(level, torch.tensor([target]))) for target in (0, 1)] == pytest.approx([math.log(2)] * 2)
    assert float(loss(torch.zeros(1, 2), torch.tensor([1]))) > float(loss(torch.zeros(1, 2), torch.tensor([0])))


def test_equal_classes_have_no_margins() -> None:
    logits, targets = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3
    assert float(MarginLoss([5, 5, 5], 0.0)(logits, targets)) == pytest.approx(
        float(functional.cross_entropy(logits, targets))
    )


def test_a_class_without_images_leaves_the_loss_finite() -> None:
    loss = MarginLoss([20, 20, 0], 0.0)
    assert torch.isfinite(loss(torch.zeros(2, 3), torch.tensor([0, 1])))


def test_margins_belong_to_classes_that_are_drawn_equally_often() -> None:
    assert isinstance(make_loss("sample", COUNTS, None), MarginLoss)
    assert not any(isinstance(make_loss(balance, COUNTS, None), MarginLoss) for balance in ("none", "adjust"))


@pytest.mark.parametrize(("classes", "asked", "smoothing"), [(9, None, 0.0), (10, None, SMOOTHING), (3, 0.2, 0.2)])
def test_only_many_classes_are_smoothed_unless_asked_for(classes: int, asked: float | None, smoothing: float) -> None:
    loss = make_loss("none", [5] * classes, asked)
    assert isinstance(loss, nn.CrossEntropyLoss)
    assert loss.label_smoothing == smoothing
