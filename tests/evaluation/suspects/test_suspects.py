import csv
from pathlib import Path

import numpy as np

from dataset.config import DataOptions
from dataset.data_set import load_data
from evaluation.answers import Answers
from evaluation.suspects.page import write_page
from evaluation.suspects.suspects import LABELS_FILE, find_suspects, write_labels
from tests.pictures import write_images

LABELS = ["blue", "grün", "red"]


def test_a_label_that_another_class_contradicts_comes_first() -> None:
    logits = 3 * np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2, 2]]
    logits[5] = [0.5, 0, 1]
    suspects = find_suspects(Answers(logits=logits, targets=np.array([0, 1, 1, 1, 2, 2])), 1.0)
    assert suspects.order[:2].tolist() == [1, 5]
    assert suspects.rows == [1]
    assert suspects.proposed[1] == 0


def test_the_corrected_table_is_a_data_set(tmp_path: Path) -> None:
    data = load_data(DataOptions(data=write_images(tmp_path / "images", 6)))
    examples = [example for found in data.splits.values() for example in found]
    splits = [split for split, found in data.splits.items() for _ in found]
    targets = np.array([example.target for example in examples])
    logits = 4 * np.eye(3, dtype=np.float32)[targets]
    logits[0, 1] = 9
    suspects = find_suspects(Answers(logits=logits, targets=targets), 1.0)
    write_labels(suspects, examples, splits, data.labels, tmp_path / LABELS_FILE)
    rows = list(csv.DictReader((tmp_path / LABELS_FILE).read_text(encoding="utf-8").splitlines()))
    assert (rows[0]["proposed"], rows[0]["suspicious"]) == ("grün", "yes")
    assert Path(tmp_path / rows[0]["path"]).samefile(examples[0].path)
    again = load_data(DataOptions(data=tmp_path / LABELS_FILE))
    assert again.fingerprint == data.fingerprint
    assert again.notes == []
    text = (tmp_path / LABELS_FILE).read_text(encoding="utf-8")
    label = rows[0]["label"]
    (tmp_path / LABELS_FILE).write_text(text.replace(f",{label},", ",grün,", 1), encoding="utf-8")
    corrected = load_data(DataOptions(data=tmp_path / LABELS_FILE))
    assert sum(corrected.count("train").values()) == sum(data.count("train").values())
    assert corrected.count("train") != data.count("train")


def test_the_page_shows_the_pictures_and_their_proposals(tmp_path: Path) -> None:
    data = load_data(DataOptions(data=write_images(tmp_path / "images", 6)))
    examples = data.splits["train"]
    targets = np.array([example.target for example in examples])
    suspects = find_suspects(Answers(logits=np.eye(3, dtype=np.float32)[(targets + 1) % 3], targets=targets), 1.0)
    write_page(suspects, examples, LABELS, title="A & B", sentences=["One."], depth=8, path=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == len(suspects.rows) == len(examples)
    assert "A &amp; B" in page
    assert "proposed: grün" in page
