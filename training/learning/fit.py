"""The epochs of a run: each is trained, evaluated and saved before the next begins."""

import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from contract.atomic import write_text_atomically
from evaluation.check.findings import IMBALANCED
from evaluation.metrics import score_epoch
from training.learning import checkpoint
from training.learning.engine import train_one_epoch
from training.learning.progress import Meter, training_progress
from training.learning.trainer import Trainer
from training.run_files import BEST, LAST, METRICS_FILE

Record = dict[str, float]


def fit(
    trainer: Trainer, state: Mapping[str, Any] | None, on_saved: Callable[[], object] | None = None
) -> list[Record]:
    """Train every epoch that `state` does not already hold; returns one record per epoch.

    `on_saved` is called after each epoch that is safe on the disk.
    """
    epochs, images = trainer.config.epochs, len(trainer.data.splits["train"])
    history = _restore(trainer, state) if state else []
    try:
        with training_progress(epochs * images, len(history) * images) as meter:
            for epoch in range(len(history) + 1, epochs + 1):
                meter.start_epoch(epoch, epochs)
                record = _train_epoch(trainer, epoch, meter)
                _save_epoch(trainer, [*history, record])
                history.append(record)
                if on_saved:
                    on_saved()
    except KeyboardInterrupt as stopped:
        raise type(stopped)(f"{len(history)} of {epochs} epochs are saved") from None
    return history


def _train_epoch(trainer: Trainer, epoch: int, meter: Meter) -> Record:
    started = time.perf_counter()
    trainer.sampler.epoch = epoch
    train_loss, train_accuracy = train_one_epoch(trainer.model, trainer.batches, trainer.step, meter.step)
    images_per_s = meter.images_per_s()
    scores = score_epoch(trainer.evaluate("val", trainer.step.precision))
    meter.say(
        f"epoch {epoch:3}  train loss {train_loss:.3f} accuracy {train_accuracy:.3f}  "
        f"val loss {scores.loss:.3f} accuracy {scores.accuracy:.3f}  {images_per_s:.1f} images/s"
    )
    return {
        "epoch": epoch,
        "train_loss": train_loss,
        "train_accuracy": train_accuracy,
        "val_loss": scores.loss,
        "val_accuracy": scores.accuracy,
        "val_macro_f1": scores.macro_f1,
        "lr": float(trainer.step.schedule.get_last_lr()[0]),
        "images_per_s": images_per_s,
        "seconds": time.perf_counter() - started,
    }


def best_epoch(history: list[Record], images: Collection[int]) -> int:
    """The epoch with the highest validation accuracy; of equals, the one with the lowest loss.

    `images` are the training images of each class. Beyond 3 : 1, macro-F1 decides in place of accuracy, which would
    choose an epoch that always answers the largest class.
    """
    figure = "val_macro_f1" if max(images) > IMBALANCED * min(images) else "val_accuracy"
    return int(max(history, key=lambda record: (record[figure], -record["val_loss"]))["epoch"])


def _save_epoch(trainer: Trainer, history: list[Record]) -> None:
    """The best model first: a crash in between leaves a `last` that will train this epoch again."""
    folder, epoch = trainer.config.folder, len(history)
    described = checkpoint.describe_model(trainer.model, trainer.config.arch, trainer.data.classes, trainer.spec)
    if best_epoch(history, trainer.data.count("train").values()) == epoch:
        checkpoint.save({**described, "epoch": epoch}, folder / BEST)
    state = {
        "model": described["model"],
        "optimizer": trainer.step.optimizer.state_dict(),
        "schedule": trainer.step.schedule.state_dict(),
        "history": history,
        "epoch": epoch,
    }
    checkpoint.save(state, folder / LAST)
    lines = "".join(json.dumps(record) + "\n" for record in history)
    write_text_atomically(folder / METRICS_FILE, lines)


def _restore(trainer: Trainer, state: Mapping[str, Any]) -> list[Record]:
    trainer.model.load_state_dict(state["model"])
    trainer.step.optimizer.load_state_dict(state["optimizer"])
    trainer.step.schedule.load_state_dict(state["schedule"])
    return list(state["history"])
