"""Writes `golden/`: copies of some validation images, with the trained model's logits."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from contract import ImageSpec, preprocess
from contract.atomic import write_text_atomically
from contract.golden import pixels_sha256
from contract.manifest import GOLDEN_LOGITS_FILE
from dataset.split_file import Example
from training.model.network import Classifier

COUNT = 8
MAX_CLASSES = 32
# A server runs all golden files at every start, so large files are chosen only if there are no others.
PREFERRED_BYTES = 1 << 20


def write_golden(classifier: Classifier, examples: Sequence[Example], spec: ImageSpec, folder: Path) -> list[str]:
    """Copy the chosen images into the bundle's `golden/`, record the logits, and return the paths written."""
    (folder / "golden").mkdir()
    entries = []
    for number, example in enumerate(choose(examples)):
        name = f"golden/{number:03}{example.path.suffix.lower()}"
        data = example.path.read_bytes()
        (folder / name).write_bytes(data)
        pixels = preprocess(data, spec)
        with torch.inference_mode():
            logits = classifier(torch.from_numpy(pixels.copy())[None])[0]
        entries.append({"file": name, "pixels_sha256": pixels_sha256(pixels), "logits": logits.tolist()})
    write_text_atomically(folder / GOLDEN_LOGITS_FILE, json.dumps(entries, indent=1) + "\n")
    return [str(entry["file"]) for entry in entries] + [GOLDEN_LOGITS_FILE]


def choose(examples: Sequence[Example]) -> list[Example]:
    """One image of each of the first 32 classes, then more images until there are 8. Small files come first."""
    ranked = sorted(examples, key=lambda example: example.path.stat().st_size > PREFERRED_BYTES)
    firsts = {example.target: example for example in reversed(ranked) if example.target < MAX_CLASSES}
    chosen = [firsts[target] for target in sorted(firsts)]
    others = [example for example in ranked if example not in chosen]
    return chosen + others[: max(0, COUNT - len(chosen))]
