"""The path of a training run: data, model, epochs, then the best epoch's figures and the report."""

from dataclasses import replace

from contract.text import counted
from dataset.data_set import load_data
from dataset.reading.names import write_names
from dataset.split_file import write_split_csv
from evaluation.check.check import Report, examine
from evaluation.report import REPORT_FILE
from training.command import make_command
from training.config import TrainConfig
from training.doctor.cheap import examine_cheaply
from training.drawing.draw import draw
from training.folds.cross_validation import CrossValidation, cross_validate, deal_out, refit_config
from training.folds.fold import OnSaved
from training.folds.refit import RefitJudge
from training.learning import checkpoint
from training.learning.fit import fit
from training.learning.preview import write_preview
from training.learning.probe import start_head
from training.learning.trainer import Trainer, build_trainer
from training.lock import hold_run
from training.looks import seen_by_weights
from training.measure import measure
from training.memory import explained
from training.model.device import make_deterministic
from training.model.threads import use_threads
from training.run import (
    Beginning,
    Start,
    discard_if_empty,
    find_start,
    has_begun,
    is_finished,
    open_run,
    write_settings,
)
from training.run_files import DATA_PAGE, PREVIEW_FILE, SPLIT_FILE
from training.summary import print_probe, print_start, print_summary
from training.weights.runs import begin_from_run


def train(config: TrainConfig) -> None:
    """Train, pick the best epoch by validation, test it, and leave everything in the run's folder."""
    with hold_run(config.folder):
        _train(begin_from_run(config))
        if not (config.folder / REPORT_FILE).exists():
            draw(config.folder)
    print_summary(config.folder)


def _train(config: TrainConfig) -> None:
    open_run(config)
    try:
        data = load_data(config)
        data = replace(data, warnings=[*data.warnings, *seen_by_weights(config.weights, data, config.folds)])
        start = find_start(config, data.fingerprint)
        if not is_finished(config):
            run(config, examine(data), start)
    finally:
        discard_if_empty(config.folder)


def run(config: TrainConfig, report: Report, start: Start) -> None:
    """Train from where a run was left, or anew; what stood in the folder goes once an epoch of the new run is saved."""
    if config.folds:
        report = replace(report, data=deal_out(report.data, config.folds))
    data = report.data
    report.print()
    make_deterministic(config.seed)
    threads = use_threads(start.state["threads"] if start.state else None)
    trainer = build_trainer(refit_config(config, data) if config.folds else config, data, fresh=start.state is None)
    beginning = None if start.goes_on else Beginning(config.folder)
    on_saved = beginning.commit if beginning else _nothing
    try:
        # Written again where a run goes on: its images may have been moved.
        write_settings(config, data.fingerprint)
        write_split_csv(data.labels, data.splits, config.folder / SPLIT_FILE)
        write_names(data.classes, config.folder)
        report.write(f"Images of the run {config.run}", config.folder / DATA_PAGE)
        for finding in examine_cheaply(config, data):
            if finding.outcome == "failed":
                print(f"warning: {finding.check}: {finding.sentence}")
        write_preview(trainer, config.folder / PREVIEW_FILE)
        print_start(trainer, threads)
        with explained(config, trainer.plan.batch):
            trainer, cross = _after_folds(trainer, start, on_saved) if config.folds else (trainer, None)
            if trainer.fresh_head:
                print_probe(start_head(trainer))
            history = fit(trainer, start.state, on_saved)
            measure(trainer, history, report.shortcuts, cross)
            checkpoint.shrink(config.folder)
    except KeyboardInterrupt as stopped:
        raise type(stopped)(f"{stopped}{_how_to_go_on(config)}") from None
    finally:
        if beginning:
            beginning.undo()


def _after_folds(trainer: Trainer, start: Start, on_saved: OnSaved) -> tuple[Trainer, CrossValidation]:
    """The folds' answers, and the trainer of the last model, which learns from all images for as long as they say."""
    cross = cross_validate(trainer.config, trainer.data, on_saved)
    print(f"The last model learns from all {counted(len(cross.examples), 'image')}, up to epoch {cross.epoch}")
    judge = RefitJudge(cross)
    return build_trainer(trainer.config, trainer.data, fresh=start.state is None, judge=judge), cross


def _nothing() -> None:
    """There is nothing to make room for."""


def _how_to_go_on(config: TrainConfig) -> str:
    if not has_begun(config.folder):
        return f"; start again with: {make_command(config)}"
    return f"; continue with: {make_command(replace(config, resume=True, overwrite=False))}"
