"""The two loops everybody knows: `train_one_epoch` and `evaluate`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.amp import GradScaler
from torch.nn import functional
from torch.optim import Optimizer

from contract import UserError
from evaluation.answers import Answers
from training.learning.loader import Batch
from training.model.device import autocast
from training.model.network import Classifier, train_mode
from training.recipe.schedule import LearningRate

MAX_GRADIENT_NORM = 1.0
# It doubles after 2,000 steps, and is halved where gradients overflow.
FIRST_SCALE = 1024.0

OnStep = Callable[[int, float], None]


class DivergedError(UserError):
    """The loss is no longer a number."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What turns a loss into better weights.

    `scaler` scales the loss in float16, where small gradients would vanish, and does nothing in other formats. `gain`
    is how many times as fast as float32 `precision` is, 0 if that is unknown.
    """

    optimizer: Optimizer
    scaler: GradScaler
    rate: LearningRate
    criterion: nn.Module
    device: torch.device
    precision: torch.dtype
    gain: float


@dataclass(kw_only=True)
class Sums:
    """What the steps of an epoch summed up to, over the images that were `seen` while training."""

    loss: float = 0.0
    correct: int = 0
    seen: int = 0

    @property
    def mean_loss(self) -> float:
        """In nats."""
        return self.loss / max(1, self.seen)

    @property
    def accuracy(self) -> float:
        """The share that was right."""
        return self.correct / max(1, self.seen)


def train_one_epoch(model: Classifier, batches: Iterable[Batch], step: Step, sums: Sums, on_step: OnStep) -> None:
    """One pass over the training images, or over those that are left of it; adds up to `sums`.

    `on_step(images, loss)` is called after every step. Raises `DivergedError`.
    """
    train_mode(model)
    for images_nhwc, targets in batches:
        images_nhwc, targets = images_nhwc.to(step.device), targets.to(step.device)
        with autocast(step.device, step.precision):
            logits = model(images_nhwc)
            loss = step.criterion(logits.float(), targets)
        descend(model, loss, step.optimizer, step.scaler)
        step.rate.after_step()
        # Without label smoothing: the loss that validation reports, so that the two can be compared.
        value = functional.cross_entropy(logits.detach().float(), targets).item()
        _check_finite(value)
        sums.loss += value * len(targets)
        sums.correct += int((logits.argmax(1) == targets).sum())
        sums.seen += len(targets)
        on_step(len(targets), value)


def descend(model: Classifier, loss: torch.Tensor, optimizer: Optimizer, scaler: GradScaler) -> float:
    """One step down the gradients of `loss`; returns their norm, before it was clipped."""
    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    scaler.unscale_(optimizer)
    norm = nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
    return float(norm)


def make_scaler(device: torch.device, precision: torch.dtype) -> GradScaler:
    """For `Step`; it begins low, so that the first steps count too."""
    return GradScaler(device.type, init_scale=FIRST_SCALE, enabled=precision == torch.float16)


def _check_finite(value: float) -> None:
    if not np.isfinite(value):
        raise DivergedError(
            f"training diverged: the model's answers are {value}; lower LR, or train with ARGS='--precision fp32'"
        )


@torch.inference_mode()
def evaluate(
    model: Classifier, batches: Iterable[Batch], device: torch.device, precision: torch.dtype = torch.float32
) -> Answers:
    """The model's logits on images prepared as for serving."""
    model.eval()
    logits, targets = [], []
    for images_nhwc, batch_targets in batches:
        with autocast(device, precision):
            logits.append(model(images_nhwc.to(device)).float().cpu().numpy())
        targets.append(batch_targets.numpy())
    answers = Answers(logits=np.concatenate(logits), targets=np.concatenate(targets))
    _check_finite(float(answers.logits.sum()))
    return answers


@torch.inference_mode()
def pooled_features(model: Classifier, batches: Iterable[Batch], device: torch.device) -> NDArray[np.float64]:
    """The mean of the feature map over each image, which the last layer takes: float64 [N, F]."""
    model.eval()
    found = [model.features(images_nhwc.to(device)).mean(dim=(2, 3)).cpu().numpy() for images_nhwc, _ in batches]
    return np.concatenate(found).astype(np.float64)
