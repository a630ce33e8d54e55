"""Findings in, one HTML file out that shows them, with thumbnails."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from contract.atomic import write_text_atomically
from dataset.data_set import DataSet
from evaluation.check.findings import Findings, Shown
from evaluation.check.shortcuts import Shortcut, sentences
from evaluation.pages import render, thumbnail

THUMBNAIL = 96
# So many objects, and so many images of each, are shown: the page stays under some 2 MB whatever the set.
OBJECTS = 30
IMAGES = 12


def write_page(data: DataSet, findings: Findings, shortcuts: Sequence[Shortcut], title: str, path: Path) -> None:
    """Write the page. Raises `OSError`."""
    page = render(
        Path(__file__).with_name("page.html.j2"),
        {"thumbnail": partial(thumbnail, side=THUMBNAIL, depth=data.depth)},
        title=title,
        data=data,
        counts={split: data.count(split) for split in data.splits},
        findings=findings,
        sections=_sections(findings),
        sentences=sentences(shortcuts),
        objects=OBJECTS,
        images=IMAGES,
    )
    write_text_atomically(path, page)


def _sections(findings: Findings) -> list[tuple[str, str, list[list[Shown]]]]:
    """Title, explanation and images of each part with thumbnails."""
    return [
        (
            "One file in several classes",
            "These files are the same to the byte and have different labels, so at least one label is wrong.",
            findings.mislabelled,
        ),
        (
            "Objects in several splits",
            "The splits were given, so they stay as they are. What was trained on is also tested on: the accuracy is "
            "too high. The test figure is given a second time without these images.",
            findings.crossing,
        ),
        (
            "Images of one object",
            "They look so much alike that they are taken for images of one object, or a group column says so. They "
            "stay in one split. If they are different objects that look alike, use ARGS='--near-duplicates 1'.",
            findings.clusters,
        ),
    ]
