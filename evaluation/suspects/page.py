"""Suspicious labels in, one HTML file with their pictures out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from contract.atomic import write_text_atomically
from dataset.split_file import Example
from evaluation.pages import render, thumbnail
from evaluation.suspects.suspects import LABELS_FILE, Suspects

THUMBNAIL = 128
# The page stays under some 1 MB.
MOST_SHOWN = 120


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One picture of the sheet."""

    path: Path
    label: str
    proposed: str
    suspicious: bool
    probability: float


def write_page(
    suspects: Suspects,
    examples: Sequence[Example],
    labels: Sequence[str],
    *,
    title: str,
    sentences: Sequence[str],
    depth: int,
    path: Path,
) -> None:
    """What was found in sentences, then the most suspicious labels, beside `labels.csv`. Raises `OSError`."""
    count = min(MOST_SHOWN, max(len(suspects.rows), len(examples) // 10))
    shown = [
        Shown(
            path=examples[row].path,
            label=labels[examples[row].target],
            proposed=labels[suspects.proposed[row]],
            suspicious=bool(suspects.suspicious[row]),
            probability=float(suspects.probability[row]),
        )
        for row in suspects.order[:count].tolist()
    ]
    page = render(
        Path(__file__).with_name("page.html.j2"),
        {"thumbnail": partial(thumbnail, side=THUMBNAIL, depth=depth)},
        title=title,
        sentences=sentences,
        shown=shown,
        images=len(examples),
        suspicious=len(suspects.rows),
        table=LABELS_FILE,
    )
    write_text_atomically(path, page)
