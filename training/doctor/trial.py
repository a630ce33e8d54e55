"""A trainer in, training steps on a copy of its model out: the trainer itself learns nothing from them."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.learning.engine import descend, make_scaler
from training.learning.trainer import Trainer, make_groups
from training.model.device import autocast
from training.model.network import train_mode
from training.recipe.optimizer import make_optimizer


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One step on a batch: its loss and accuracy before the weights changed, and the norm of the gradients."""

    loss: float
    accuracy: float
    gradient_norm: float


class Trial:
    """Steps with the trainer's optimizer, precision and rates on `batches` in turn: (uint8 [N, H, W, 3], int64 [N])."""

    def __init__(self, trainer: Trainer, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
        self._device, self._precision = trainer.step.device, trainer.step.precision
        self._model = copy.deepcopy(trainer.model)
        self._optimizer = make_optimizer(trainer.config.optimizer, make_groups(trainer.config, self._model))
        self._scaler = make_scaler(self._device, self._precision)
        self._relative = [group["lr"] / trainer.config.peak_lr for group in self._optimizer.param_groups]
        self._batches, self._taken = batches, 0
        train_mode(self._model)

    def step(self, rate: float) -> Taken:
        """One step with this learning rate for the backbone, and as much more for the last layer as in training."""
        for group, relative in zip(self._optimizer.param_groups, self._relative, strict=True):
            group["lr"] = rate * relative
        images_nhwc, targets = (each.to(self._device) for each in self._batches[self._taken % len(self._batches)])
        self._taken += 1
        with autocast(self._device, self._precision):
            logits = self._model(images_nhwc).float()
        loss = functional.cross_entropy(logits, targets)
        norm = descend(self._model, loss, self._optimizer, self._scaler)
        right = logits.argmax(1) == targets
        return Taken(loss=float(loss.detach()), accuracy=float(right.float().mean()), gradient_norm=norm)


def settle(device: torch.device) -> None:
    """Wait for what the device still computes, before time is taken."""
    if device.type == "cuda":
        torch.cuda.synchronize()
