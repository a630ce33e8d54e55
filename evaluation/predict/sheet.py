"""Answers in, a contact sheet out: index.html, the least certain pictures first."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from contract.atomic import write_text_atomically
from evaluation.pages import render, thumbnail
from evaluation.predict.answers import Answer

SHEET_FILE = "index.html"
THUMBNAIL = 160
# The page stays under some 10 MB; the tables hold every answer.
PICTURES = 1000


def write_sheet(answers: Sequence[Answer], title: str, depth: int, folder: Path) -> None:
    """Write the page. Raises `OSError`."""
    answered = sorted((answer for answer in answers if answer.best), key=lambda each: each.predictions[0].probability)
    page = render(
        Path(__file__).with_name("sheet.html.j2"),
        {"thumbnail": partial(thumbnail, side=THUMBNAIL, depth=depth)},
        title=title,
        shown=answered[:PICTURES],
        more=max(0, len(answered) - PICTURES),
        failed=[answer for answer in answers if answer.error],
    )
    write_text_atomically(folder / SHEET_FILE, page)
