"""The scaled loss of float16: it changes no step, and a step whose gradients overflow is left out."""

import torch
from torch.optim import SGD

from contract import ImageSpec
from training.learning.engine import FIRST_SCALE, descend, make_scaler
from training.model.network import Classifier

CPU = torch.device("cpu")


def one_step(precision: torch.dtype, factor: float = 1.0) -> tuple[torch.Tensor, torch.Tensor, float]:
    """The last layer's weights before and after a step, and the scale after it."""
    torch.manual_seed(0)
    model = Classifier("resnet18", 3, ImageSpec(size=32, resize=33))
    scaler, weights = make_scaler(CPU, precision), model.backbone.fc.weight
    before = weights.detach().clone()
    loss = model(torch.full((2, 32, 32, 3), 99, dtype=torch.uint8)).sum() * factor
    descend(model, loss, SGD(model.parameters(), lr=0.1), scaler)
    return before, weights.detach(), scaler.get_scale()


def test_the_scale_cancels_out() -> None:
    _, plain, _ = one_step(torch.float32)
    before, scaled, scale = one_step(torch.float16)
    torch.testing.assert_close(scaled, plain)
    assert not torch.equal(scaled, before)
    assert scale == FIRST_SCALE


def test_a_step_that_overflows_is_left_out_and_the_scale_halved() -> None:
    before, after, scale = one_step(torch.float16, factor=1e37)
    assert torch.equal(after, before)
    assert scale == FIRST_SCALE / 2
