"""Answers in, a contact sheet out: index.html, the least certain pictures first."""

import base64
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from contract import decode_image
from contract.atomic import write_text_atomically
from evaluation.predict.answers import Answer

SHEET_FILE = "index.html"
TEMPLATE = "sheet.html.j2"
THUMBNAIL = 160
# The page stays under some 10 MB; the tables hold every answer.
PICTURES = 1000


def write_sheet(answers: Sequence[Answer], title: str, depth: int, folder: Path) -> None:
    """Write the page. Raises `OSError`."""
    answered = sorted((answer for answer in answers if answer.best), key=lambda each: each.predictions[0].probability)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["thumbnail"] = partial(thumbnail, depth=depth)
    page = environment.get_template(TEMPLATE).render(
        title=title,
        shown=answered[:PICTURES],
        more=max(0, len(answered) - PICTURES),
        failed=[answer for answer in answers if answer.error],
    )
    write_text_atomically(folder / SHEET_FILE, page)


def thumbnail(path: Path, *, depth: int) -> str:
    """The picture as a small data URL."""
    picture = decode_image(path.read_bytes(), shorter_side=THUMBNAIL, depth=depth)
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
