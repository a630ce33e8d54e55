"""A trainer in, the learning rates at which its loss falls out: a short range test (Smith 2017, arXiv 1506.01186)."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from training.config import OptimizerName
from training.doctor.finding import Finding
from training.doctor.trial import Trial
from training.learning.trainer import Trainer

LOWEST, HIGHEST = 1e-7, 10.0
STEPS, BATCHES = 60, 10
SMOOTHING = 0.8
# No ResNet stands more, however easily the few steps of a test are taken.
MOST = {"adamw": 0.05, "sgd": 2.0}
# So far below the rate at which the loss begins to fall, training takes too long.
TOO_LOW = 30.0
# It has begun once so much of the whole fall is done.
BEGUN = 0.1
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

    @property
    def awake(self) -> float:
        """The rate from which on the loss stayed below where it had been, until it was lowest."""
        first, lowest = float(self.losses[0]), int(self.losses.argmin())
        begun = first - BEGUN * (first - float(self.losses[lowest]))
        above = np.flatnonzero(self.losses[: lowest + 1] > begun)
        return float(self.rates[above[-1] + 1 if len(above) else 0])


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


def check_rate(peak: float, test: RangeTest, optimizer: OptimizerName) -> Finding:
    """The peak rate must not lie above the rate at which the loss is lowest, nor far below where it begins to fall."""
    limit = min(test.best, MOST[optimizer])
    around = f"in a short test the loss began to fall at {test.awake:.1g} and was lowest at {test.best:.1g}"
    if peak > limit:
        sentence = f"a peak of {peak:g} is too high ({around}; the limit is {limit:.1g}): leave out LR, or lower it"
        return Finding(check="learning rate", outcome="failed", sentence=sentence)
    if peak < test.awake / TOO_LOW:
        sentence = f"a peak of {peak:g} is too low to learn in time ({around}): leave out LR, or raise it"
        return Finding(check="learning rate", outcome="failed", sentence=sentence)
    return Finding(check="learning rate", outcome="passed", sentence=f"a peak of {peak:g} is sane: {around}")
