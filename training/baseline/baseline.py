"""The path of a baseline: images, features, answers out of fold, permutations, learning curve, suspicious labels."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from contract.atomic import write_text_atomically
from contract.text import as_json
from dataset.data_set import DataSet, load_data
from dataset.folds import check_folds, warnings_about_folds
from dataset.seen import images_seen
from dataset.split_file import Example
from evaluation.answers import Answers
from evaluation.calibration import fit_temperature
from evaluation.check.check import print_counts
from evaluation.intervals import widen_intervals
from evaluation.metrics import score
from evaluation.probe.learning_curve import LearningCurve, draw_learning_curve
from evaluation.probe.out_of_fold import Probe
from evaluation.probe.permutations import Related, relate
from evaluation.suspects.page import write_page
from evaluation.suspects.suspects import LABELS_FILE, Suspects, find_suspects, write_labels
from evaluation.words import describe_suspects
from training.baseline.config import BaselineConfig
from training.baseline.features import compute_features
from training.baseline.network import Network, choose_network
from training.baseline.words import (
    describe_curve,
    describe_features,
    describe_permutations,
    describe_scores,
)

RESULTS_FILE = "baseline.json"
PAGE = "baseline.html"
# Ways to deal the folds: one alone may be lucky.
DEALS = 3

# No markup: class names may hold brackets.
console = Console(highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What was found; `scores` is `Scores.as_dict` of the first deal, with the intervals of cross-validation."""

    network: Network
    folds: int
    seen: int
    temperature: float
    scores: dict[str, Any]
    related: Related
    curve: LearningCurve
    suspects: Suspects

    @property
    def sentences(self) -> list[str]:
        """For the screen and the page."""
        return [
            *describe_features(self.network, self.seen),
            *describe_scores(self.scores, self.folds),
            describe_permutations(self.related, DEALS),
            describe_curve(self.curve, self.related),
            describe_suspects(len(self.suspects.order), len(self.suspects.rows)),
        ]


def measure_baseline(config: BaselineConfig) -> None:
    """Measure, say what was found, and write page, figures and table. Raises `DataError`, `WeightsError`, `OSError`."""
    data = load_data(config).in_folds()
    examples = [example for split in data.splits.values() for example in split]
    splits = [split for split, found in data.splits.items() for _ in found]
    check_folds(examples, config.folds)
    told = warnings_about_folds(examples, data.labels, config.folds)
    print_counts(replace(data, warnings=[*data.warnings, *told]))
    network = choose_network(config, data)
    features = compute_features(network, examples)
    probes = [Probe(features, examples, config.folds, config.seed + deal) for deal in range(DEALS)]
    found = _measure(config, data, network, probes)
    sentences = found.sentences
    for sentence in sentences:
        console.print(sentence)
    config.out.mkdir(parents=True, exist_ok=True)
    _write(found, config.out / RESULTS_FILE)
    write_labels(found.suspects, examples, splits, data.labels, config.out / LABELS_FILE)
    write_page(
        found.suspects,
        examples,
        data.labels,
        title=f"Baseline of {config.data}",
        sentences=sentences,
        depth=data.depth,
        path=config.out / PAGE,
    )
    console.print(f"Page: {config.out / PAGE}\nLabels to correct: {config.out / LABELS_FILE}")


def _measure(config: BaselineConfig, data: DataSet, network: Network, probes: Sequence[Probe]) -> Baseline:
    answers = [probe.answers() for probe in probes]
    temperature = fit_temperature(answers[0])
    together = Answers(
        logits=np.mean([each.logits for each in answers], axis=0),
        targets=answers[0].targets,
        clusters=answers[0].clusters,
    )
    scores = score(answers[0], data.labels, temperature).as_dict()
    return Baseline(
        network=network,
        folds=config.folds,
        seen=_seen(network.run, probes[0].examples),
        temperature=temperature,
        scores=widen_intervals(scores, config.folds),
        related=relate(probes),
        curve=draw_learning_curve(probes),
        suspects=find_suspects(together, fit_temperature(together)),
    )


def _seen(run: Path | None, examples: Sequence[Example]) -> int:
    """How many of the images the network was trained on, or chosen by."""
    learned = images_seen(run) if run else {}
    return sum(learned.get(example.sha256) in ("train", "val") for example in examples)


def _write(found: Baseline, path: Path) -> None:
    content = {
        "features": found.network.name,
        "images_seen_by_the_network": found.seen,
        "folds": found.folds,
        "temperature": found.temperature,
        "scores": found.scores,
        "permutations": asdict(found.related),
        "learning_curve": asdict(found.curve),
        "suspicious_labels": len(found.suspects.rows),
    }
    write_text_atomically(path, as_json(content))
