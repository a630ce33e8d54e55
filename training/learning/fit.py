"""The epochs of a run: each is trained and validated, and what was computed is saved between its steps."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import torch

from contract.atomic import write_text_atomically
from contract.text import counted
from evaluation.answers import Answers
from training.errors import CheckpointError
from training.learning import checkpoint
from training.learning.engine import Sums, train_one_epoch
from training.learning.judge import Record
from training.learning.progress import Meter, training_progress
from training.learning.stopping import Stop, stopping_between_steps
from training.learning.trainer import Trainer
from training.run_files import BEST, LAST, METRICS_FILE

# What a crash can cost at most, beside the step that is running.
SAVE_EVERY = 60.0


@dataclass(kw_only=True)
class Progress:
    """Where a run is: the epochs that are done, the `steps` of the one that is not, and what these summed up to.

    `history` has a record for each validated epoch.
    """

    epoch: int = 0
    steps: int = 0
    seconds: float = 0.0
    sums: Sums = field(default_factory=Sums)
    history: list[Record] = field(default_factory=list)


def fit(
    trainer: Trainer, state: Mapping[str, Any] | None, on_saved: Callable[[], object] | None = None
) -> list[Record]:
    """Train everything that `state` does not already hold; returns one record for each validated epoch.

    A checkpoint is written after each validated epoch, every `SAVE_EVERY` seconds between two steps, and when training
    is asked to stop. `on_saved` is called once one is safe on the disk.
    """
    run = _Fitting(trainer, _restore(trainer, state) if state else Progress(), on_saved)
    try:
        run.train()
    except KeyboardInterrupt as stopped:
        raise type(stopped)(run.saved_words()) from None
    return run.progress.history


class _Fitting:
    """One call of `fit`."""

    def __init__(self, trainer: Trainer, progress: Progress, on_saved: Callable[[], object] | None) -> None:
        self.trainer, self.progress, self._on_saved = trainer, progress, on_saved
        self._saved_at = time.perf_counter()
        self._saved = (progress.epoch, progress.steps)

    def train(self) -> None:
        plan, progress = self.trainer.plan, self.progress
        done = progress.epoch * plan.steps_per_epoch + progress.steps
        if progress.history and self.trainer.judge.is_over(progress.history):
            return
        with training_progress(plan.steps * plan.batch, done * plan.batch) as meter:
            while progress.epoch < plan.epochs:
                self._train_epoch(meter)
                if plan.is_validated(progress.epoch):
                    self._validate(meter)
                    if self.trainer.judge.is_over(progress.history):
                        return

    def saved_words(self) -> str:
        """How much of the run is on the disk."""
        epochs, steps = self._saved
        more = f" and {counted(steps, 'step')}" if steps else ""
        return f"{epochs} of {self.trainer.plan.epochs} epochs{more} are saved"

    def _train_epoch(self, meter: Meter) -> None:
        trainer, progress, started = self.trainer, self.progress, time.perf_counter()
        meter.start_epoch(progress.epoch + 1, trainer.plan.epochs)
        trainer.batches.epoch, trainer.batches.start = progress.epoch + 1, progress.steps
        before = progress.seconds
        with stopping_between_steps() as stop:

            def on_step(images: int, loss: float) -> None:
                progress.steps += 1
                progress.seconds = before + time.perf_counter() - started
                meter.step(images, loss)
                self._save_between_steps(stop)

            train_one_epoch(trainer.model, trainer.batches, trainer.step, progress.sums, on_step)
        progress.epoch, progress.steps = progress.epoch + 1, 0
        if not trainer.plan.is_validated(progress.epoch):
            progress.sums, progress.seconds = Sums(), 0.0

    def _save_between_steps(self, stop: Stop) -> None:
        if stop.asked is not None or time.perf_counter() - self._saved_at >= SAVE_EVERY:
            self._save()
        stop.obey()

    def _validate(self, meter: Meter) -> None:
        trainer, progress, started = self.trainer, self.progress, time.perf_counter()
        scores = trainer.judge.look(progress.epoch, partial(_answer, trainer))
        trainer.step.rate.after_validation(scores.loss)
        sums, speed = progress.sums, progress.sums.seen / progress.seconds if progress.seconds else 0.0
        progress.history.append(
            {
                "epoch": progress.epoch,
                "train_loss": sums.mean_loss,
                "train_accuracy": sums.accuracy,
                "lr": trainer.step.rate.current,
                "images_per_s": speed,
                "seconds": progress.seconds + time.perf_counter() - started,
                "val_loss": scores.loss,
                "val_accuracy": scores.accuracy,
                "val_macro_f1": scores.macro_f1,
            }
        )
        progress.sums, progress.seconds = Sums(), 0.0
        self._save_best()
        self._save()
        # Only now: what a person reads as done is safe on the disk.
        meter.say(
            f"epoch {progress.epoch:3}  train loss {sums.mean_loss:.3f} accuracy {sums.accuracy:.3f}  "
            f"val loss {scores.loss:.3f} accuracy {scores.accuracy:.3f}  {speed:.1f} images/s"
        )

    def _save_best(self) -> None:
        """Before the checkpoint: a crash in between leaves one that will train this epoch again."""
        if self.trainer.judge.best(self.progress.history) == self.progress.epoch:
            described = {**_described(self.trainer), "epoch": self.progress.epoch}
            checkpoint.save(described, self.trainer.config.folder / BEST)

    def _save(self) -> None:
        folder, progress = self.trainer.config.folder, self.progress
        checkpoint.save({**_state(self.trainer), "progress": asdict(progress)}, folder / LAST)
        lines = "".join(json.dumps(record) + "\n" for record in progress.history)
        write_text_atomically(folder / METRICS_FILE, lines)
        self._saved_at, self._saved = time.perf_counter(), (progress.epoch, progress.steps)
        if self._on_saved:
            self._on_saved()


def _answer(trainer: Trainer, *, exact: bool) -> Answers:
    return trainer.evaluate("val", torch.float32 if exact else trainer.step.precision)


def _described(trainer: Trainer) -> dict[str, Any]:
    return checkpoint.describe_model(trainer.model, trainer.config.arch, trainer.data.classes, trainer.spec)


def _state(trainer: Trainer) -> dict[str, Any]:
    return {
        "model": trainer.model.state_dict(),
        "optimizer": trainer.step.optimizer.state_dict(),
        "scaler": trainer.step.scaler.state_dict(),
        "loss": trainer.step.criterion.state_dict(),
        "schedule": trainer.step.rate.state_dict(),
        "computed": _computed(trainer),
        "threads": torch.get_num_threads(),
    }


def _computed(trainer: Trainer) -> dict[str, str]:
    """Where and how the steps are computed: elsewhere, the same run would end in other weights."""
    precision = str(trainer.step.precision).removeprefix("torch.")
    return {"device": trainer.step.device.type, "precision": precision}


def _restore(trainer: Trainer, state: Mapping[str, Any]) -> Progress:
    """Go on from `state`. Raises `CheckpointError` where steps would be computed otherwise than before."""
    now = _computed(trainer)
    changed = [f"{name} was {then}, now {now[name]}" for name, then in state["computed"].items() if then != now[name]]
    if changed and not trainer.config.resume_elsewhere:
        raise CheckpointError(
            f"{trainer.config.folder} was begun elsewhere ({'; '.join(changed)}), and would end in other weights than "
            "there; go on where it began, or go on here all the same with ARGS=--resume-elsewhere"
        )
    trainer.model.load_state_dict(state["model"])
    trainer.step.optimizer.load_state_dict(state["optimizer"])
    # Runs that an earlier version began have no state of the loss.
    trainer.step.criterion.load_state_dict(state.get("loss", trainer.step.criterion.state_dict()))
    if state.get("scaler"):
        trainer.step.scaler.load_state_dict(state["scaler"])
    trainer.step.rate.load_state_dict(state["schedule"])
    progress = state["progress"]
    return Progress(**{**progress, "sums": Sums(**progress["sums"])})
