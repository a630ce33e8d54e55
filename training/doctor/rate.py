"""A trainer in, the learning rates at which its loss falls out: a short range test (Smith 2017, arXiv 1506.01186)."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from training.doctor.finding import Finding
from training.doctor.trial import Trial
from training.learning.trainer import Trainer

LOWEST, HIGHEST = 1e-7, 10.0
STEPS, BATCHES = 60, 10
SMOOTHING = 0.8
# The usual peak lies up to two orders of magnitude below the rate at which the loss is lowest, and not above it.
TOO_LOW = 300.0
DIVERGED = 4.0


@dataclass(frozen=True, kw_only=True)
class RangeTest:
    """`rates` and smoothed `losses`, float64 [N], of steps with an ever higher rate, up to where the loss explodes."""

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]

    @property
    def best(self) -> float:
        """The rate at which the loss was lowest."""
        return float(self.rates[int(self.losses.argmin())])


def run_range_test(trainer: Trainer) -> RangeTest:
    """Train a copy of the model with a rate that rises from 1e-7 to 10."""
    trial = Trial(trainer, list(islice(trainer.batches, BATCHES)))
    rates, losses = [], []
    smooth, lowest = 0.0, np.inf
    for number, rate in enumerate(np.geomspace(LOWEST, HIGHEST, STEPS)):
        loss = trial.step(rate).loss
        if not np.isfinite(loss):
            break
        smooth = SMOOTHING * smooth + (1 - SMOOTHING) * loss
        rates.append(float(rate))
        losses.append(smooth / (1 - SMOOTHING ** (number + 1)))
        lowest = min(lowest, losses[-1])
        if losses[-1] > DIVERGED * lowest:
            break
    return RangeTest(rates=np.array(rates), losses=np.array(losses))


def check_rate(peak: float, test: RangeTest) -> Finding:
    """The peak rate must lie below the rate at which the loss is lowest, but not far below."""
    best = test.best
    around = f"in a short test the loss was lowest at {best:.1g}"
    if peak > best:
        sentence = f"a peak of {peak:g} is too high: {around}, and above that it rises; leave out LR, or lower it"
        return Finding(check="learning rate", outcome="failed", sentence=sentence)
    if peak < best / TOO_LOW:
        sentence = f"a peak of {peak:g} is too low to learn in time: {around}; leave out LR, or raise it"
        return Finding(check="learning rate", outcome="failed", sentence=sentence)
    return Finding(check="learning rate", outcome="passed", sentence=f"a peak of {peak:g} is sane: {around}")
