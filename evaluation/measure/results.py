"""Answers in, everything that is written about them out: figures, curves, thresholds, a page and a table."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contract import Manifest
from contract.atomic import write_atomically, write_text_atomically
from contract.text import as_json, printable
from dataset.split_file import Example
from evaluation.answers import Answers
from evaluation.curves import CoveragePoint, class_curves, reliability, risk_coverage
from evaluation.metrics import score
from evaluation.plots import plot_precision_recall, plot_reliability, plot_risk_coverage, plot_roc
from evaluation.report import CONFUSION_FILE, REPORT_FILE, SplitPage, draw_confusion, write_split_report
from evaluation.thresholds import OperatingPoint, unsure_below

RESULTS_FILE = "evaluation.json"
TABLE_FILE = "predictions.csv"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured: `scores` is `Scores.as_dict`; `points` show the error by how much is answered."""

    manifest: Manifest
    answers: Answers
    scores: dict[str, Any]
    points: list[CoveragePoint]
    unsure: CoveragePoint | None

    @property
    def labels(self) -> list[str]:
        """The classes' labels, in index order."""
        return [entry.label for entry in self.manifest.classes]


def measure_answers(manifest: Manifest, answers: Answers) -> Measured:
    """Every figure, with the probabilities that are served."""
    labels = [entry.label for entry in manifest.classes]
    commonest = (manifest.metrics.get("validation") or {}).get("majority_label")
    majority = labels.index(commonest) if commonest in labels else None
    points = risk_coverage(answers, manifest.temperature)
    return Measured(
        manifest=manifest,
        answers=answers,
        scores=score(answers, labels, manifest.temperature, majority=majority).as_dict(),
        points=points,
        unsure=unsure_below(points),
    )


def write_results(
    measured: Measured,
    examples: Sequence[Example],
    told: dict[str, list[str]],
    operating_point: OperatingPoint | None,
    title: str,
    folder: Path,
) -> None:
    """Write the figures and the table, and then what is drawn. `told` are the facts, verdicts and warnings."""
    figures = {
        "bundle": {"name": measured.manifest.name, "version": measured.manifest.version},
        "scores": measured.scores,
        "unsure_below": measured.unsure.threshold if measured.unsure else None,
        "operating_point": asdict(operating_point) if operating_point else None,
        **told,
    }
    write_text_atomically(folder / RESULTS_FILE, as_json(figures))
    _write_table(measured, examples, folder / TABLE_FILE)
    page = SplitPage(
        title=title,
        split="measured",
        scores=measured.scores,
        temperature=measured.manifest.temperature,
        classes=measured.manifest.classes,
        facts=told["facts"],
        verdicts=told["verdicts"],
        warnings=told["warnings"],
        pictures=_draw(measured, folder),
        operating_point=operating_point,
        unsure=measured.unsure,
    )
    write_split_report(page, folder / REPORT_FILE)


def _draw(measured: Measured, folder: Path) -> dict[str, Path]:
    answers, temperature = measured.answers, measured.manifest.temperature
    curves = class_curves(answers, measured.labels, temperature)
    paths = {
        "Confusion matrix": folder / CONFUSION_FILE,
        "Precision and recall": folder / "precision_recall.png",
        "ROC": folder / "roc.png",
        "Error by share answered": folder / "risk_coverage.png",
        "Reliability": folder / "reliability.png",
    }
    confusion, precision_recall, roc, coverage, reliable = paths.values()
    draw_confusion(measured.scores, measured.manifest.classes, "measured", confusion)
    plot_precision_recall(curves, precision_recall)
    plot_roc(curves, roc)
    plot_risk_coverage(measured.points, measured.unsure, coverage)
    plot_reliability(reliability(answers, temperature), reliable)
    return paths


def _write_table(measured: Measured, examples: Sequence[Example], path: Path) -> None:
    """Each image with its class, the answer and its probability; read by Excel, hence the byte order mark."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["path", "label", "answer", "probability", "right"])
    labels, answers = measured.labels, measured.answers
    confidences = answers.confidences(measured.manifest.temperature)
    for example, answered, confidence in zip(examples, answers.answered, confidences, strict=True):
        right = "yes" if answered == example.target else "no"
        shown = printable(str(example.path))
        writer.writerow([shown, labels[example.target], labels[answered], f"{confidence:.6f}", right])
    write_atomically(path, lambda file: file.write(text.getvalue().encode("utf-8-sig")))
