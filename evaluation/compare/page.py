"""A comparison in, one HTML file out: what differs, and the images on which the runs differ."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract import ImageError, bits_used
from contract.atomic import write_text_atomically
from dataset.split_file import Example
from evaluation.compare.matching import Matched, Seen
from evaluation.compare.paired import Difference
from evaluation.compare.run_answers import RunAnswers
from evaluation.pages import render, thumbnail
from evaluation.words import p_value

COMPARISON_PAGE = "compare.html"
THUMBNAIL = 160
# Images of each comparison; the page stays under some 2 MB.
MOST_IMAGES = 60


def write_page(
    matched: Matched,
    part: str,
    comparisons: Sequence[Mapping[str, Any]],
    seen: Sequence[Seen],
    notes: Sequence[str],
    folder: Path,
) -> None:
    """Write the page. Raises `OSError`."""
    first = matched.runs[0]
    sheets = [_differing(matched, first, run) for run in matched.runs[1:]]
    page = render(
        Path(__file__).with_name("page.html.j2"),
        {"thumbnail": _thumbnail, "difference": _described, "p_value": p_value},
        title=" and ".join(run.name for run in matched.runs),
        part=part,
        images=len(matched.clusters),
        comparisons=list(zip(comparisons, sheets, strict=True)),
        seen=seen,
        notes=notes,
        most=MOST_IMAGES,
    )
    write_text_atomically(folder / COMPARISON_PAGE, page)


def _differing(matched: Matched, first: RunAnswers, second: RunAnswers) -> list[dict[str, Any]]:
    """The images that one run alone answers rightly: those first that the other was most certain of."""
    one, two = (matched.answers(run) for run in (first, second))
    right = [answers.answered == answers.targets for answers in (one, two)]
    sure = [answers.confidences(run.temperature) for answers, run in ((one, first), (two, second))]
    wrong: NDArray[np.float64] = np.where(right[0], sure[1], sure[0])
    rows = np.flatnonzero(right[0] != right[1])
    return [
        {
            "example": first.examples[row],
            "label": first.labels[first.examples[row].target],
            "right": (first if right[0][row] else second).name,
            "answers": [
                (run.name, run.labels[answers.answered[row]], float(confidence[row]))
                for run, answers, confidence in ((first, one, sure[0]), (second, two, sure[1]))
            ],
        }
        for row in rows[np.argsort(-wrong[rows], kind="stable")]
    ]


def _thumbnail(example: Example) -> str:
    """A data URL; empty where the file has gone or can't be read any more."""
    try:
        depth = bits_used(example.path.read_bytes()) or 16
        return thumbnail(example.path, side=THUMBNAIL, depth=depth)
    except (OSError, ImageError):
        return ""


def _described(difference: Difference) -> str:
    low, high = difference.interval
    return f"{difference.difference:+.3f} ({low:+.3f} to {high:+.3f})"
