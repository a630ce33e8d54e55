"""An optimizer and the length of the training in, its learning rate over the steps out."""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from training.config import ScheduleName

# Shares of all steps: the rate rises linearly before it falls; each restart is a share of its own.
WARMUP = 0.05
RESTARTS = 4
# After so many validations without a lower loss, the rate falls to a third.
PLATEAU_PATIENCE, PLATEAU_FACTOR = 3, 1 / 3


class LearningRate:
    """The rate of every parameter group: its own peak, times what the schedule gives for all of them."""

    def __init__(self, schedule: ScheduleName, optimizer: Optimizer, steps: int) -> None:
        self._optimizer = optimizer
        self._by_step, self._by_loss = _build(schedule, optimizer, steps)

    def after_step(self) -> None:
        """To be called after each training step."""
        if self._by_step:
            self._by_step.step()

    def after_validation(self, loss: float) -> None:
        """To be called after each validation with its loss."""
        if self._by_loss:
            self._by_loss.step(loss)

    @property
    def current(self) -> float:
        """The rate of the first parameter group."""
        return float(self._optimizer.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""
        state: dict[str, Any] = (self._by_step or self._by_loss).state_dict()  # type: ignore[union-attr]
        return {name: value for name, value in state.items() if name != "lr_lambdas"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        (self._by_step or self._by_loss).load_state_dict(dict(state))  # type: ignore[union-attr]


def _build(
    schedule: ScheduleName, optimizer: Optimizer, steps: int
) -> tuple[LRScheduler | None, ReduceLROnPlateau | None]:
    if schedule == "plateau":
        return None, ReduceLROnPlateau(optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE)
    if schedule == "onecycle":
        # Smith and Topin 2018, arXiv 1708.07120.
        peaks = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, peaks, total_steps=steps, cycle_momentum=False), None
    factors = {"cosine": _cosine, "restarts": _restarts, "constant": _constant}
    return LambdaLR(optimizer, lambda step: factors[schedule](step, steps)), None


def _cosine(step: int, steps: int) -> float:
    """A short linear warm-up, then half a cosine down to zero (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    warmup = max(1, round(WARMUP * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _restarts(step: int, steps: int) -> float:
    """The cosine several times over: each time the rate is raised and lowered again."""
    length = max(1, -(-steps // RESTARTS))
    return _cosine(step % length, length)


def _constant(step: int, steps: int) -> float:
    warmup = max(1, round(WARMUP * steps))
    return min(1.0, (step + 1) / warmup)
