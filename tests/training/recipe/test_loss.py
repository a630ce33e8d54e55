import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from training.recipe.loss import LEARNED, SMOOTHING, MarginLoss, make_loss

COUNTS = [90, 9, 1]


def learned(counts: list[int], right: float = 1.0) -> MarginLoss:
    """The loss of a model that answers such a share of its images rightly."""
    loss = MarginLoss(counts, smoothing=0.0).eval()
    loss.right.fill_(right)
    return loss


def test_a_rare_class_must_win_by_the_log_of_how_much_commoner_the_other_is() -> None:
    """Where it does, both answers are equally likely to the loss."""
    loss, level = learned([90, 10]), torch.tensor([[0.0, math.log(9)]])
    assert [float(loss(level, torch.tensor([target]))) for target in (0, 1)] == pytest.approx([math.log(2)] * 2)
    assert float(loss(torch.zeros(1, 2), torch.tensor([1]))) > float(loss(torch.zeros(1, 2), torch.tensor([0])))


@pytest.mark.parametrize(("counts", "right"), [([5, 5, 5], 1.0), (COUNTS, LEARNED), (COUNTS, 0.3)])
def test_equal_classes_and_those_not_learned_yet_have_no_margins(counts: list[int], right: float) -> None:
    logits, targets = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3
    assert float(learned(counts, right)(logits, targets)) == pytest.approx(
        float(functional.cross_entropy(logits, targets))
    )


def test_margins_come_in_with_what_is_answered_rightly() -> None:
    loss, strengths = MarginLoss(COUNTS, smoothing=0.0), []
    for _ in range(400):
        loss(torch.eye(3), torch.arange(3))
        strengths.append(float(loss.strength))
    assert strengths[10] == 0
    assert 0.95 < strengths[-1] <= 1
    again = MarginLoss(COUNTS, smoothing=0.0)
    again.load_state_dict(loss.state_dict())
    assert float(again.strength) == strengths[-1]


def test_a_class_without_images_leaves_the_loss_finite() -> None:
    assert torch.isfinite(learned([20, 20, 0])(torch.zeros(2, 3), torch.tensor([0, 1])))


def test_margins_belong_to_classes_that_are_drawn_equally_often() -> None:
    assert isinstance(make_loss("sample", COUNTS, None), MarginLoss)
    assert not any(isinstance(make_loss(balance, COUNTS, None), MarginLoss) for balance in ("none", "adjust"))


@pytest.mark.parametrize(("classes", "asked", "smoothing"), [(9, None, 0.0), (10, None, SMOOTHING), (3, 0.2, 0.2)])
def test_only_many_classes_are_smoothed_unless_asked_for(classes: int, asked: float | None, smoothing: float) -> None:
    loss = make_loss("none", [5] * classes, asked)
    assert isinstance(loss, nn.CrossEntropyLoss)
    assert loss.label_smoothing == smoothing
