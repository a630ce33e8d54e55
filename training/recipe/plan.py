"""A configuration and the number of training images in, how long training takes and when it is checked out."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.check.findings import IMBALANCED
from training.config import BalanceName, TrainConfig

SCRATCH_STEPS, SCRATCH_IMAGES, SCRATCH_EPOCHS = 1000, 16_000, 20
TUNING_STEPS, TUNING_EPOCHS = 400, 4
SMALLEST_BATCH, LARGEST_BATCH = 8, 32
# So many batches of a small set make an epoch, before the batch becomes larger.
BATCHES_OF_A_SMALL_SET = 20
# A small set has many short epochs; validating after each would take longer than training.
MOST_VALIDATIONS = 30
FEWEST_VALIDATIONS = 5


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long a run trains: whole epochs of full batches, validated after every `validate_every` of them.

    Training stops early after `patience` validations without a better one; 0: never.
    """

    batch: int
    steps_per_epoch: int
    epochs: int
    validate_every: int
    patience: int
    balance: BalanceName

    @property
    def steps(self) -> int:
        """All steps, if training is not stopped early."""
        return self.epochs * self.steps_per_epoch

    def is_validated(self, epoch: int) -> bool:
        """Whether validation follows epoch `epoch`, which is counted from 1."""
        return epoch % self.validate_every == 0 or epoch == self.epochs


def make_plan(config: TrainConfig, counts: Sequence[int]) -> Plan:
    """The plan for so many training images of each class."""
    images = sum(counts)
    batch = min(config.batch or usual_batch(images), images)
    steps_per_epoch = max(1, images // batch)
    epochs = config.epochs or -(-_steps(config, batch, steps_per_epoch) // steps_per_epoch)
    validate_every = -(-epochs // MOST_VALIDATIONS)
    validations = -(-epochs // validate_every)
    patience = max(FEWEST_VALIDATIONS, validations // 3) if config.patience is None else config.patience
    return Plan(
        batch=batch,
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
        validate_every=validate_every,
        patience=patience,
        balance=choose_balance(config.balance, counts),
    )


def choose_balance(asked: BalanceName, counts: Sequence[int]) -> BalanceName:
    """What is done about classes with few images; "auto" balances only where accuracy would hide them."""
    if asked != "auto":
        return asked
    return "sample" if max(counts) > IMBALANCED * min(counts) else "none"


def usual_batch(images: int) -> int:
    """8, 16 or 32: small sets learn more from more steps than from larger batches."""
    batch = LARGEST_BATCH
    while batch > SMALLEST_BATCH and images < BATCHES_OF_A_SMALL_SET * batch:
        batch //= 2
    return batch


def _steps(config: TrainConfig, batch: int, steps_per_epoch: int) -> int:
    if config.steps:
        return config.steps
    if config.weights == "none":
        return max(SCRATCH_STEPS, -(-SCRATCH_IMAGES // batch), SCRATCH_EPOCHS * steps_per_epoch)
    return max(TUNING_STEPS, TUNING_EPOCHS * steps_per_epoch)
