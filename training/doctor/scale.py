"""A configuration in, one that can be tried within a minute out, and what is left unproven by it."""

from dataclasses import dataclass, replace
from time import perf_counter

from dataset.data_set import DataSet
from training.config import Architecture, TrainConfig
from training.doctor import overfit, rate
from training.doctor.overfit import batch_of
from training.doctor.trial import Taken, Trial, settle
from training.learning.trainer import Trainer, build_trainer

SMALL_ARCH: Architecture = "resnet18"
SMALL_SIZE = 64
# For all training steps of the doctor.
MOST_SECONDS = 25.0
TIMED_STEPS = 2


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """The trainer that is tried, what that leaves unproven (`note`, empty if nothing was scaled down), and `taken`.

    These are the steps that the model as configured has taken.
    """

    trainer: Trainer
    note: str
    taken: list[Taken]


def scale_down(config: TrainConfig, data: DataSet) -> Scaled:
    """The trainer as configured, if its steps are fast enough, and else one of a small network and small images."""
    trainer = build_trainer(config, data, fresh=True)
    trial, taken, seconds = Trial(trainer, [batch_of(trainer)]), [], 0.0
    for _ in range(TIMED_STEPS):
        started = perf_counter()
        taken.append(trial.step(config.peak_lr))
        settle(trainer.step.device)
        seconds = perf_counter() - started
    steps = overfit.STEPS + rate.STEPS
    small = replace(config, arch=SMALL_ARCH, size=min(config.size, SMALL_SIZE), weights="none", freeze=False)
    if steps * seconds <= MOST_SECONDS or small == config:
        return Scaled(trainer=trainer, note="", taken=taken)
    note = (
        f"{config.arch} at {config.size} px takes {seconds:.1f} s a step, so {small.arch} at {small.size} px from "
        f"random weights is tried in its place; of {config.arch} itself, {TIMED_STEPS} steps were taken. Unproven is "
        "that its depth, size and weights learn as well, and that its own learning rate is right"
    )
    return Scaled(trainer=build_trainer(small, data, fresh=True), note=note, taken=taken)
