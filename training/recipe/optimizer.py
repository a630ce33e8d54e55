"""Parameter groups in, what turns their gradients into better weights out."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer

from training.config import OptimizerName

ParameterGroups = list[dict[str, Any]]
MOMENTUM = 0.9
AVERAGES = ("exp_avg", "exp_avg_sq")


def make_optimizer(name: OptimizerName, groups: ParameterGroups) -> Optimizer:
    """The optimizer of these groups, which carry their own rates and weight decay."""
    if name == "sgd":
        return SGD(groups, momentum=MOMENTUM, nesterov=True)
    return ChannelsLastAdamW(groups, fused=True)


class ChannelsLastAdamW(AdamW):
    """AdamW that takes the weights of convolutions, which lie in memory with the channels last, as they lie.

    Its fused step copies every tensor that is not contiguous there and back: on a CPU that was half of its time. For
    the length of a step, these tensors are views with the channels last, which are contiguous.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """As AdamW's."""
        turned = list(self._channels_last())
        for parameter in turned:
            self._turn(parameter, (0, 2, 3, 1))
        try:
            return super().step(closure)
        finally:
            for parameter in turned:
                self._turn(parameter, (0, 3, 1, 2))

    def _channels_last(self) -> Iterator[Tensor]:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.dim() == 4 and not parameter.is_contiguous():
                    yield parameter

    def _turn(self, parameter: Tensor, axes: tuple[int, ...]) -> None:
        gradient, state = parameter.grad, self.state.get(parameter, {})
        assert gradient is not None
        parameter.grad = None
        parameter.data = parameter.data.permute(axes)
        parameter.grad = gradient.permute(axes)
        state.update({name: state[name].permute(axes) for name in AVERAGES if name in state})
