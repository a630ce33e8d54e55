"""Answers to images that the model had not seen in, suspicious labels out: ranked, and as a table.

Confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70, 1373-1411): a label is suspicious where another class is
as probable as that class usually is on its own images, and here also more probable than not.
"""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.atomic import write_text_atomically
from dataset.split_file import Example
from evaluation.answers import Answers

LABELS_FILE = "labels.csv"
# `DATA=` reads the first five and knows that the others are ours.
COLUMNS = ("path", "label", "split", "group", "sha256", "proposed", "suspicious", "probability")

# A weak model is often wrong: below, its proposals would be noise.
LIKELY = 0.5

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """All rows, the most suspicious label first (`order` [N]), and for each row in its own place:

    `proposed` [N] is the most probable class, `suspicious` [N] whether it is likely to belong in the label's place, and
    `probability` [N] that of the label as it is.
    """

    order: Ints
    proposed: Ints
    suspicious: NDArray[np.bool_]
    probability: NDArray[np.float64]

    @property
    def rows(self) -> list[int]:
        """The rows with a suspicious label, the most suspicious first."""
        return [int(row) for row in self.order if self.suspicious[row]]


def find_suspects(answers: Answers, temperature: float) -> Suspects:
    """Rank by how much more probable another class is than the label."""
    probabilities = np.exp(answers.log_probabilities(temperature))
    rows, targets = np.arange(len(answers.targets)), answers.targets
    own = probabilities[rows, targets]
    others = probabilities.copy()
    others[rows, targets] = -1.0
    usual = np.array(
        [own[targets == label].mean() if (targets == label).any() else 1.0 for label in range(len(others[0]))]
    )
    proposed = probabilities.argmax(axis=1)
    return Suspects(
        order=np.argsort(own - others.max(axis=1), kind="stable"),
        proposed=proposed,
        suspicious=(proposed != targets) & (probabilities.max(axis=1) >= np.maximum(usual[proposed], LIKELY)),
        probability=own,
    )


def write_labels(
    suspects: Suspects, examples: Sequence[Example], splits: Sequence[str], labels: Sequence[str], path: Path
) -> None:
    """The table of all images, the most suspicious first: once `label` is corrected, `DATA=` takes it.

    `examples` begin with those that were answered; others come last. Raises `OSError`.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    answered = suspects.order.tolist()
    for row in [*answered, *range(len(answered), len(examples))]:
        example = examples[row]
        relative = Path(os.path.relpath(example.path, path.parent)).as_posix()
        found = _found(suspects, row, labels) if row < len(answered) else []
        writer.writerow([relative, labels[example.target], splits[row], example.cluster, example.sha256, *found])
    write_text_atomically(path, text.getvalue())


def _found(suspects: Suspects, row: int, labels: Sequence[str]) -> list[str]:
    marked = "yes" if suspects.suspicious[row] else ""
    return [labels[suspects.proposed[row]], marked, f"{suspects.probability[row]:.3f}"]
