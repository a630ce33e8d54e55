"""Draws an annotated image: a heat map of where the model looked, with class names and probabilities below."""

from collections.abc import Sequence

import numpy as np
from noto_cjk_sans_otc import FONT_PATH
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from contract import ImageSpec, Prediction
from contract.image.heat_map import overlay

JPEG_QUALITY = 92
LONGEST_SIDE = 1024
SHORTEST_WIDTH = 480
SIMPLIFIED_CHINESE = 2  # the collection's faces are JP, KR, SC, TC, HK
LINE = 40
MARGIN = 12
MOST_LINES = 20
INK, PAPER, BAR = (20, 20, 20), (255, 255, 255), (170, 205, 255)


def annotate(
    picture: Image.Image, predictions: Sequence[Prediction], activation: NDArray[np.float32], spec: ImageSpec
) -> Image.Image:
    """`picture` (RGB) with a heat map of the best class over the part that the model saw, and classes below: the first
    `MOST_LINES`.

    `activation` is the activation map of the best class, float32 [h, w].
    """
    canvas, predictions = _fit(picture), predictions[:MOST_LINES]
    canvas = overlay(canvas, activation, spec)
    sheet = Image.new(
        "RGB", (max(canvas.width, SHORTEST_WIDTH), canvas.height + MARGIN * 2 + LINE * len(predictions)), PAPER
    )
    sheet.paste(canvas, ((sheet.width - canvas.width) // 2, 0))
    font = _font(22)
    for row, prediction in enumerate(predictions):
        _draw_line(sheet, canvas.height + MARGIN + row * LINE, prediction, font)
    return sheet


def _fit(picture: Image.Image) -> Image.Image:
    """Resize to at most LONGEST_SIDE px; enlarge a narrow picture so that the heat map can be seen."""
    scale = min(LONGEST_SIDE / max(picture.size), max(1.0, SHORTEST_WIDTH / picture.width))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _draw_line(sheet: Image.Image, top: int, prediction: Prediction, font: ImageFont.FreeTypeFont) -> None:
    draw = ImageDraw.Draw(sheet)
    width = sheet.width - 2 * MARGIN
    draw.rectangle((MARGIN, top + 2, MARGIN + width * prediction.probability, top + LINE - 4), fill=BAR)
    share = f"{100 * prediction.probability:.1f} %"
    share_width = draw.textlength(share, font=font)
    name = _shorten(_name(prediction), font, width - share_width - 3 * MARGIN)
    draw.text((2 * MARGIN, top + LINE // 2), name, INK, font, anchor="lm")
    draw.text((sheet.width - 2 * MARGIN, top + LINE // 2), share, INK, font, anchor="rm")


def _name(prediction: Prediction) -> str:
    label, shown = prediction.label, prediction.display_name
    return _in_one_line(shown) if shown == label else f"{_in_one_line(shown)}  {_in_one_line(label)}"


def _in_one_line(text: str) -> str:
    """Names may come with line breaks, as from a spreadsheet; the renderer fails on them, and draws others as boxes."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _shorten(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT_PATH), size, index=SIMPLIFIED_CHINESE)
