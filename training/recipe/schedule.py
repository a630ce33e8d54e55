"""Parameters and a number of steps in, the optimizer and its learning rate over the steps out."""

from collections.abc import Iterable
from typing import Any

from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR


def one_cycle(parameter_groups: Iterable[dict[str, Any]], peak_lr: float, steps: int) -> tuple[AdamW, OneCycleLR]:
    """AdamW under the one-cycle schedule (Smith and Topin 2018, arXiv 1708.07120), which ends after `steps` steps."""
    optimizer = AdamW(parameter_groups, lr=peak_lr)
    return optimizer, OneCycleLR(optimizer, peak_lr, total_steps=steps)
