"""Training images in, a picture out that shows what training does to them: each as it is served, and changed."""

from pathlib import Path

import numpy as np
from PIL import Image

from contract import preprocess
from contract.atomic import write_atomically
from training.learning.trainer import Trainer

ROWS, CHANGED = 6, 7
SIDE, GAP = 112, 4


def write_preview(trainer: Trainer, path: Path) -> None:
    """A PNG with a row for each of the first six classes: the image as it is served, then seven changed at random."""
    firsts = {example.target: example for example in reversed(trainer.batches.examples)}
    shown = [firsts[target] for target in sorted(firsts)[:ROWS]]
    step = SIDE + GAP
    sheet = Image.new("RGB", (step * (1 + CHANGED) + GAP, step * len(shown) + GAP), "white")
    for row, example in enumerate(shown):
        served = preprocess(example.path.read_bytes(), trainer.spec)
        for column, pixels in enumerate([served, *(trainer.batches.image(example, time) for time in range(CHANGED))]):
            tile = Image.fromarray(np.asarray(pixels)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            sheet.paste(tile, (GAP + column * step, GAP + row * step))
    write_atomically(path, lambda file: sheet.save(file, "PNG"))
