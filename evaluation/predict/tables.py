"""Answers in, predictions.csv and predictions.json out."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from contract.atomic import write_atomically, write_text_atomically
from evaluation.predict.answers import Answer

COLUMNS = ("path", "label", "name", "probability", "unsure", "error")


def write_tables(answers: Sequence[Answer], folder: Path) -> None:
    """Write both tables. Raises `OSError`."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(answer.as_row() for answer in answers)
    # With a byte order mark: Excel takes a file without one for the system's old encoding.
    write_atomically(folder / "predictions.csv", lambda file: file.write(text.getvalue().encode("utf-8-sig")))
    rows = [{**answer.as_row(), "unsure": answer.unsure, "classes": _classes(answer)} for answer in answers]
    write_text_atomically(folder / "predictions.json", json.dumps(rows, ensure_ascii=False, indent=1) + "\n")


def _classes(answer: Answer) -> list[dict[str, object]]:
    return [
        {"label": each.label, "name": each.display_name, "probability": each.probability} for each in answer.predictions
    ]
