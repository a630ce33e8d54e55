"""The path of a training run: data, model, epochs, then the best epoch's figures and the report."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader

from contract.atomic import write_atomically, write_text_atomically
from training import checkpoint
from training.config import TrainConfig
from training.data import DataSet, load_data, write_split_csv
from training.device import make_deterministic, pick_device, pick_precision
from training.engine import Evaluation, Step, evaluate, train_one_epoch
from training.loader import Batch, EpochSampler, default_workers, evaluation_loader, training_loader
from training.metrics import fit_temperature, score
from training.model import Classifier, freeze_backbone, parameter_groups
from training.progress import Meter, training_progress
from training.report import write_report
from training.run import RESULTS_FILE, find_start, is_finished, open_run
from training.summary import print_data, print_summary
from training.weights import load_weights

METRICS_FILE = "metrics.jsonl"
SPLIT_FILE = "split.csv"
VALIDATION_FILE = "validation.npz"

Record = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Session:
    """What the epochs of one run share."""

    config: TrainConfig
    data: DataSet
    model: Classifier
    step: Step
    batches: "DataLoader[Batch]"
    sampler: EpochSampler
    workers: int

    def evaluate(self, split: str, precision: torch.dtype = torch.float32) -> Evaluation:
        """The model's answers on a split."""
        loader = evaluation_loader(
            self.data.splits[split], self.config.image_spec, batch=self.config.batch, workers=self.workers
        )
        return evaluate(self.model, loader, self.step.device, precision)


def train(config: TrainConfig) -> None:
    """Train, pick the best epoch by validation, test it, and leave everything in the run's folder."""
    open_run(config)
    data = load_data(config.data, seed=config.seed, skip_unreadable=config.skip_unreadable, names=config.names)
    print_data(data)
    state = find_start(config, data.fingerprint)
    if not is_finished(config):
        make_deterministic(config.seed)
        write_split_csv(data, config.folder / SPLIT_FILE)
        session = start_session(config, data, fresh=state is None)
        history = fit(session, state)
        finish(session, history)
    print_summary(config.folder)


def start_session(config: TrainConfig, data: DataSet, *, fresh: bool) -> Session:
    """Build the model and everything that trains it; pretrained weights are only fetched for a fresh start."""
    device = pick_device(config.device)
    model = Classifier(config.arch, len(data.classes), config.image_spec)
    if fresh:
        load_weights(model, config.weights, config.arch)
    model.to(device).to(memory_format=torch.channels_last)  # the layout of `Classifier.features`
    if config.freeze:
        freeze_backbone(model)
    workers = config.workers if config.workers is not None else default_workers(device)
    batches, sampler = training_loader(
        data.splits["train"], config.image_spec, batch=config.batch, seed=config.seed, workers=workers
    )
    return Session(
        config=config,
        data=data,
        model=model,
        step=_make_step(config, model, device, len(batches)),
        batches=batches,
        sampler=sampler,
        workers=workers,
    )


def _make_step(config: TrainConfig, model: Classifier, device: torch.device, steps_per_epoch: int) -> Step:
    optimizer = AdamW(parameter_groups(model, config.weight_decay), lr=config.peak_lr)
    return Step(
        optimizer=optimizer,
        schedule=OneCycleLR(optimizer, config.peak_lr, total_steps=config.epochs * steps_per_epoch),
        criterion=nn.CrossEntropyLoss(label_smoothing=config.label_smoothing),
        device=device,
        precision=pick_precision(config.precision, device),
    )


def fit(session: Session, state: Mapping[str, Any] | None) -> list[Record]:
    """Train every epoch that `state` does not already hold; returns one record per epoch."""
    epochs, images = session.config.epochs, len(session.data.splits["train"])
    history = _restore(session, state) if state else []
    try:
        with training_progress(epochs * images, len(history) * images) as meter:
            for epoch in range(len(history) + 1, epochs + 1):
                meter.start_epoch(epoch, epochs)
                history.append(_train_epoch(session, epoch, meter))
                _save_epoch(session, history)
    except KeyboardInterrupt:
        again = f"make train RUN={session.config.run} RESUME=1 with the same settings"
        raise KeyboardInterrupt(f"{len(history)} of {epochs} epochs are saved; go on with {again}") from None
    return history


def _train_epoch(session: Session, epoch: int, meter: Meter) -> Record:
    started = time.perf_counter()
    session.sampler.epoch = epoch
    train_loss, train_accuracy = train_one_epoch(session.model, session.batches, session.step, meter.step)
    images_per_s = meter.images_per_s()
    scores = score(session.evaluate("val", session.step.precision), session.data.labels)
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
        "lr": float(session.step.schedule.get_last_lr()[0]),
        "images_per_s": images_per_s,
        "seconds": time.perf_counter() - started,
    }


def best_epoch(history: list[Record]) -> int:
    """The epoch with the highest validation accuracy; of equals, the one with the lowest loss."""
    return int(max(history, key=lambda record: (record["val_accuracy"], -record["val_loss"]))["epoch"])


def _save_epoch(session: Session, history: list[Record]) -> None:
    """The best model first: a crash in between leaves a `last` that will train this epoch again."""
    folder, epoch = session.config.folder, len(history)
    described = checkpoint.describe_model(
        session.model, session.config.arch, session.data.classes, session.config.image_spec
    )
    if best_epoch(history) == epoch:
        checkpoint.save({**described, "epoch": epoch}, folder / "checkpoints" / checkpoint.BEST)
    state = {
        "model": described["model"],
        "optimizer": session.step.optimizer.state_dict(),
        "schedule": session.step.schedule.state_dict(),
        "history": history,
        "epoch": epoch,
    }
    checkpoint.save(state, folder / "checkpoints" / checkpoint.LAST)
    lines = "".join(json.dumps(record) + "\n" for record in history)
    write_text_atomically(folder / METRICS_FILE, lines)


def _restore(session: Session, state: Mapping[str, Any]) -> list[Record]:
    session.model.load_state_dict(state["model"])
    session.step.optimizer.load_state_dict(state["optimizer"])
    session.step.schedule.load_state_dict(state["schedule"])
    return list(state["history"])


def finish(session: Session, history: list[Record]) -> None:
    """Measure the best epoch in float32, fit the temperature on validation, test, and write the report.

    The validation logits are kept: export must reproduce them.
    """
    folder, labels = session.config.folder, session.data.labels
    best = checkpoint.load_best(folder)
    session.model.load_state_dict(best.model.state_dict())
    validation = session.evaluate("val")
    write_atomically(
        folder / VALIDATION_FILE,
        lambda file: np.savez(file, logits=validation.logits, targets=validation.targets),
    )
    temperature = fit_temperature(validation)
    tested = score(session.evaluate("test"), labels, temperature) if "test" in session.data.splits else None
    results = {
        "epoch": best.epoch,
        "temperature": temperature,
        "validation": score(validation, labels, temperature).as_dict(),
        "test": tested.as_dict() if tested else None,
        "images": {split: session.data.count(split) for split in session.data.splits},
        "warnings": session.data.warnings,
        "device": str(session.step.device),
        "precision": str(session.step.precision).removeprefix("torch."),
        "images_per_s": float(np.median([record["images_per_s"] for record in history])),
        "seconds": sum(record["seconds"] for record in history),
    }
    write_report(folder, results, history, session.data.classes)
    write_text_atomically(folder / RESULTS_FILE, json.dumps(results, ensure_ascii=False, indent=2) + "\n")
