from pathlib import Path

import numpy as np

from contract import Manifest
from dataset.split_file import Example
from evaluation.gate.gate import Pairs, judge
from evaluation.gate.page import write_page


def test_the_page_shows_what_is_answered_otherwise_the_surest_first(bundle: Path, images: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(bundle)
    paths = sorted((images / "red").iterdir())[:3]
    reference = np.array([[0.6, 0.3, 0.1], [0.9, 0.1, 0.0], [0.1, 0.1, 0.8]], np.float32)
    fast = np.array([[0.2, 0.7, 0.1], [0.1, 0.9, 0.0], [0.1, 0.1, 0.8]], np.float32)
    pairs = Pairs(reference=reference, fast=fast, targets=np.array([0, -1, 2]), clusters=np.arange(3))
    labels = [entry.label for entry in manifest.classes]
    verdict = judge(pairs, labels, max_loss=0.01)
    with_training = {**verdict.figures, "training": {"images": 5, "same": 4}}
    verdict.figures.update(with_training)
    examples = [Example(path=path, target=0) for path in [*paths[:2], tmp_path / "gone.jpg"]]
    page = tmp_path / "fast_modes.html"
    write_page(manifest, {"cpu int8": (pairs, verdict)}, examples, ["openvino bf16: not tried"], page)
    text = page.read_text(encoding="utf-8")
    assert "cpu int8: may not serve" in text
    assert "Answered otherwise: 2" in text
    assert text.index("margin 0.800") < text.index("margin 0.300")
    assert text.count("(lost)") == 2
    assert "openvino bf16: not tried" in text
    assert text.count("data:image/jpeg") == 2
