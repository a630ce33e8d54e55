"""The epochs of a run: each is trained, evaluated and saved before the next begins."""

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from contract.atomic import write_text_atomically
from evaluation.answers import Answers
from training.learning import checkpoint
from training.learning.engine import train_one_epoch
from training.learning.judge import Record
from training.learning.progress import Meter, training_progress
from training.learning.trainer import Trainer
from training.run_files import BEST, LAST, METRICS_FILE


def fit(
    trainer: Trainer, state: Mapping[str, Any] | None, on_saved: Callable[[], object] | None = None
) -> list[Record]:
    """Train every epoch that `state` does not already hold; returns one record for each validated epoch.

    `on_saved` is called after each validated epoch that is safe on the disk.
    """
    plan = trainer.plan
    images = plan.batch * plan.steps_per_epoch
    history = _restore(trainer, state) if state else []
    done = int(history[-1]["epoch"]) if history else 0
    try:
        with training_progress(plan.epochs * images, done * images) as meter:
            for epoch in range(done + 1, plan.epochs + 1):
                meter.start_epoch(epoch, plan.epochs)
                record = _train_epoch(trainer, epoch, meter)
                if not plan.is_validated(epoch):
                    continue
                history.append(_validate(trainer, record, meter))
                _save_epoch(trainer, history)
                if on_saved:
                    on_saved()
                if trainer.judge.is_over(history):
                    break
    except KeyboardInterrupt as stopped:
        saved = int(history[-1]["epoch"]) if history else 0
        raise type(stopped)(f"{saved} of {plan.epochs} epochs are saved") from None
    return history


def _train_epoch(trainer: Trainer, epoch: int, meter: Meter) -> Record:
    started = time.perf_counter()
    trainer.batches.epoch = epoch
    train_loss, train_accuracy = train_one_epoch(trainer.model, trainer.batches, trainer.step, meter.step)
    return {
        "epoch": epoch,
        "train_loss": train_loss,
        "train_accuracy": train_accuracy,
        "lr": trainer.step.rate.current,
        "images_per_s": meter.images_per_s(),
        "seconds": time.perf_counter() - started,
    }


def _validate(trainer: Trainer, record: Record, meter: Meter) -> Record:
    scores = trainer.judge.look(int(record["epoch"]), partial(_answer, trainer))
    trainer.step.rate.after_validation(scores.loss)
    meter.say(
        f"epoch {record['epoch']:3}  train loss {record['train_loss']:.3f} accuracy {record['train_accuracy']:.3f}  "
        f"val loss {scores.loss:.3f} accuracy {scores.accuracy:.3f}  {record['images_per_s']:.1f} images/s"
    )
    return {
        **record,
        "val_loss": scores.loss,
        "val_accuracy": scores.accuracy,
        "val_macro_f1": scores.macro_f1,
    }


def _answer(trainer: Trainer, *, exact: bool) -> Answers:
    return trainer.evaluate("val", torch.float32 if exact else trainer.step.precision)


def _save_epoch(trainer: Trainer, history: list[Record]) -> None:
    """The best model first: a crash in between leaves a `last` that will train this epoch again."""
    folder, epoch = trainer.config.folder, int(history[-1]["epoch"])
    described = checkpoint.describe_model(trainer.model, trainer.config.arch, trainer.data.classes, trainer.spec)
    if trainer.judge.best(history) == epoch:
        checkpoint.save({**described, "epoch": epoch}, folder / BEST)
    state = {
        "model": described["model"],
        "optimizer": trainer.step.optimizer.state_dict(),
        "schedule": trainer.step.rate.state_dict(),
        "history": history,
        "epoch": epoch,
    }
    checkpoint.save(state, folder / LAST)
    lines = "".join(json.dumps(record) + "\n" for record in history)
    write_text_atomically(folder / METRICS_FILE, lines)


def _restore(trainer: Trainer, state: Mapping[str, Any]) -> list[Record]:
    trainer.model.load_state_dict(state["model"])
    trainer.step.optimizer.load_state_dict(state["optimizer"])
    trainer.step.rate.load_state_dict(state["schedule"])
    return list(state["history"])
