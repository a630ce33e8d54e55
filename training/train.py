"""The path of a training run: data, model, epochs, then the best epoch's figures and the report."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dataset.data_set import load_data
from dataset.reading.names import write_names
from dataset.split_file import write_split_csv
from evaluation.check.check import Report, examine
from evaluation.report import REPORT_FILE
from training.command import make_command
from training.config import TrainConfig
from training.drawing.draw import draw
from training.learning.fit import fit
from training.learning.trainer import build_trainer
from training.lock import hold_run
from training.looks import seen_by_weights
from training.measure import measure
from training.memory import explained
from training.model.device import make_deterministic
from training.run import (
    Beginning,
    discard_if_empty,
    find_start,
    is_finished,
    open_run,
    write_settings,
)
from training.run_files import DATA_PAGE, LAST, SPLIT_FILE
from training.summary import print_start, print_summary


def train(config: TrainConfig) -> None:
    """Train, pick the best epoch by validation, test it, and leave everything in the run's folder."""
    with hold_run(config.folder):
        _train(config)
        if not (config.folder / REPORT_FILE).exists():
            draw(config.folder)
    print_summary(config.folder)


def _train(config: TrainConfig) -> None:
    open_run(config)
    try:
        data = load_data(config)
        data = replace(data, warnings=[*data.warnings, *seen_by_weights(config.weights, data)])
        state = find_start(config, data.fingerprint)
        if not is_finished(config):
            run(config, examine(data), state)
    finally:
        discard_if_empty(config.folder)


def run(config: TrainConfig, report: Report, state: Mapping[str, Any] | None) -> None:
    """Train from `state`, or from the start; what stood in the folder goes once an epoch of the new run is saved."""
    data = report.data
    report.print()
    make_deterministic(config.seed)
    trainer = build_trainer(config, data, fresh=state is None)
    beginning = Beginning(config.folder) if state is None else None
    try:
        # Written again where a run goes on: its images may have been moved.
        write_settings(config, data.fingerprint)
        write_split_csv(data.labels, data.splits, config.folder / SPLIT_FILE)
        write_names(data.classes, config.folder)
        report.write(f"Images of the run {config.run}", config.folder / DATA_PAGE)
        print_start(trainer)
        with explained(config):
            history = fit(trainer, state, on_saved=beginning.commit if beginning else None)
            measure(trainer, history, report.shortcuts)
    except KeyboardInterrupt as stopped:
        raise type(stopped)(f"{stopped}{_how_to_go_on(config)}") from None
    finally:
        if beginning:
            beginning.undo()


def _how_to_go_on(config: TrainConfig) -> str:
    if not (config.folder / LAST).exists():
        return f"; start again with: {make_command(config)}"
    return f"; continue with: {make_command(replace(config, resume=True, overwrite=False))}"
