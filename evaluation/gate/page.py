"""Verdicts in, one HTML file out: what each mode costs, and the images that it answers otherwise than fp32."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from contract import ImageError, Manifest
from contract.atomic import write_text_atomically
from dataset.split_file import Example
from evaluation.gate.gate import Pairs, Verdict
from evaluation.pages import render, thumbnail
from evaluation.words import p_value

SIDE = 160
# Of each mode; the page stays under some 2 MB.
MOST_IMAGES = 60

Results = Mapping[str, tuple[Pairs, Verdict]]


def write_page(
    manifest: Manifest, results: Results, examples: Sequence[Example], notes: Sequence[str], path: Path
) -> None:
    """Write the page: `results` by the mode's name, for `examples`. Raises `OSError`."""
    labels = [entry.label for entry in manifest.classes]
    modes = [
        {"name": name, "verdict": verdict, "flips": _flips(pairs, examples, labels)}
        for name, (pairs, verdict) in results.items()
    ]
    page = render(
        Path(__file__).with_name("page.html.j2"),
        {"thumbnail": lambda example: _thumbnail(example, manifest.image.depth), "p_value": p_value},
        title=f"{manifest.name} {manifest.version}",
        modes=modes,
        notes=notes,
        most=MOST_IMAGES,
    )
    write_text_atomically(path, page)


def _flips(pairs: Pairs, examples: Sequence[Example], labels: Sequence[str]) -> list[dict[str, Any]]:
    """The images that are answered otherwise: those first of which fp32 was surest."""
    ranked = np.sort(pairs.reference, axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    rows = np.flatnonzero(pairs.flips)
    return [
        {
            "example": examples[row],
            "label": labels[pairs.targets[row]] if pairs.targets[row] >= 0 else "",
            "reference": labels[int(pairs.reference[row].argmax())],
            "fast": labels[int(pairs.fast[row].argmax())],
            "margin": float(margins[row]),
            "lost": bool(pairs.losses[row]),
        }
        for row in rows[np.argsort(-margins[rows], kind="stable")]
    ]


def _thumbnail(example: Example, depth: int) -> str:
    """A data URL; empty where the file has gone or can't be read any more."""
    try:
        return thumbnail(example.path, side=SIDE, depth=depth)
    except (OSError, ImageError):
        return ""
