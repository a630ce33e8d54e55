"""The path of the doctor: what needs no model first, then steps on a few images, then labels against permuted ones."""

from collections.abc import Iterator

from rich.console import Console

from contract import UserError
from dataset.data_set import DataSet, load_data
from training.config import TrainConfig
from training.doctor.cheap import examine_cheaply
from training.doctor.finding import Finding
from training.doctor.labels import check_labels
from training.doctor.overfit import check_gradients, check_overfit, overfit
from training.doctor.rate import check_rate, run_range_test
from training.doctor.scale import scale_down
from training.model.device import make_deterministic
from training.weights.runs import begin_from_run

# No markup: class names may hold brackets.
console = Console(highlight=False, markup=False, soft_wrap=True)


class DoctorError(UserError):
    """Something would keep the model from learning."""


def doctor(config: TrainConfig) -> None:
    """Check everything, print each finding as it is made. Raises `DoctorError` if a check failed."""
    config = begin_from_run(config)
    make_deterministic(config.seed)
    failed = []
    for finding in examine(config, load_data(config)):
        console.print(finding.line)
        failed += [finding.check] if finding.outcome == "failed" else []
    if failed:
        raise DoctorError(f"training would not succeed as it is: see {', '.join(failed)} above")
    console.print("Nothing that was checked keeps a model from learning.")


def examine(config: TrainConfig, data: DataSet) -> Iterator[Finding]:
    """Every finding in order; those that need training steps come last."""
    yield from examine_cheaply(config, data)
    scaled = scale_down(config, data)
    if scaled.note:
        console.print(f"note: {scaled.note}.")
    trainer = scaled.trainer
    taken = overfit(trainer)
    yield check_gradients([*scaled.taken, *taken])
    yield check_rate(trainer.config.peak_lr, run_range_test(trainer), trainer.config.optimizer)
    yield check_overfit(taken)
    yield check_labels(trainer)
