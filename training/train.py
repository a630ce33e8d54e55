"""The path of a training run: data, model, epochs, then the best epoch's figures and the report."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from contract.atomic import write_atomically, write_text_atomically
from dataset.data_set import DataSet, load_data
from dataset.split_file import write_split_csv
from evaluation.metrics import fit_temperature, score
from evaluation.report import write_report
from training.command import make_command
from training.config import TrainConfig
from training.learning import checkpoint
from training.learning.fit import Record, fit
from training.learning.trainer import Trainer, build_trainer
from training.model.device import make_deterministic
from training.run import (
    RESULTS_FILE,
    SPLIT_FILE,
    VALIDATION_FILE,
    begin_run,
    discard_if_empty,
    find_start,
    hash_files,
    hold_run,
    is_finished,
    open_run,
    read_config,
)
from training.summary import print_data, print_start, print_summary


def train(config: TrainConfig) -> None:
    """Train, pick the best epoch by validation, test it, and leave everything in the run's folder."""
    config.folder.mkdir(parents=True, exist_ok=True)
    with hold_run(config.folder):
        _train(config)
    print_summary(config.folder)


def _train(config: TrainConfig) -> None:
    open_run(config)
    try:
        data = load_data(config)
        print_data(data)
        state = find_start(config, data.fingerprint)
        if not is_finished(config):
            run(config, data, state)
    finally:
        discard_if_empty(config.folder)


def run(config: TrainConfig, data: DataSet, state: Mapping[str, Any] | None) -> None:
    """Train from `state`, or from the start; what stood in the folder goes only once all is ready to begin."""
    make_deterministic(config.seed)
    trainer = build_trainer(config, data, fresh=state is None)
    if state is None:
        begin_run(config, data.fingerprint)
        write_split_csv(data.labels, data.splits, config.folder / SPLIT_FILE)
    print_start(trainer)
    try:
        history = fit(trainer, state)
    except KeyboardInterrupt as stopped:
        again = make_command(replace(config, resume=True, overwrite=False))
        raise KeyboardInterrupt(f"{stopped}; continue with: {again}") from None
    finish(trainer, history)


def finish(trainer: Trainer, history: list[Record]) -> None:
    """Measure the best epoch in float32, fit the temperature on validation, test, and write the report.

    The validation logits are kept: export must reproduce them.
    """
    folder, labels = trainer.config.folder, trainer.data.labels
    best = checkpoint.load_best(folder)
    trainer.model.load_state_dict(best.model.state_dict())
    validation = trainer.evaluate("val")
    write_atomically(
        folder / VALIDATION_FILE,
        lambda file: np.savez(file, logits=validation.logits, targets=validation.targets),
    )
    temperature = fit_temperature(validation)
    tested = score(trainer.evaluate("test"), labels, temperature) if "test" in trainer.data.splits else None
    results = {
        "epoch": best.epoch,
        "temperature": temperature,
        "validation": score(validation, labels, temperature).as_dict(),
        "test": tested.as_dict() if tested else None,
        "images": {split: trainer.data.count(split) for split in trainer.data.splits},
        "warnings": trainer.data.warnings,
        "device": str(trainer.step.device),
        "precision": str(trainer.step.precision).removeprefix("torch."),
        "images_per_s": float(np.median([record["images_per_s"] for record in history])),
        "seconds": sum(record["seconds"] for record in history),
        "files": hash_files(folder),
    }
    write_report(folder, read_config(folder), results, history, trainer.data.classes)
    write_text_atomically(folder / RESULTS_FILE, json.dumps(results, ensure_ascii=False, indent=2) + "\n")
