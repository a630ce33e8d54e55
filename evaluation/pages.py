"""A template and its values in, the text of a page out; pictures as data URLs, so that a page can be mailed alone."""

import base64
import io
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from contract import decode_image

Filters = Mapping[str, Callable[..., str]]


def render(template: Path, filters: Filters, **context: object) -> str:
    """The template as text, with everything escaped; it may import others of its folder."""
    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(filters)
    return environment.get_template(template.name).render(**context)


def embedded(path: Path) -> str:
    """A PNG or JPEG file, as its name ends, as a data URL."""
    kind = "png" if path.suffix == ".png" else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(path.read_bytes()).decode()


def thumbnail(path: Path, *, side: int, depth: int) -> str:
    """An image file, with `depth` as in `ImageSpec`, as the data URL of a JPEG of at most `side` px."""
    picture = decode_image(path.read_bytes(), shorter_side=side, depth=depth)
    picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
