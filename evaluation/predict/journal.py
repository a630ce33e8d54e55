"""Answers kept one by one while they are made, so that a run over many images goes on where it was interrupted."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from contract import Prediction
from evaluation.predict.answers import Answer

JOURNAL_FILE = ".predictions.jsonl"


class Journal:
    """The answers of one model with one set of options; those of another are not taken over."""

    def __init__(self, folder: Path, made_with: dict[str, Any]) -> None:
        self._path, self._made_with = folder / JOURNAL_FILE, made_with

    def known(self) -> dict[Path, Answer]:
        """The answers for files that have not changed since; those that failed are tried again."""
        lines = self._lines()
        if next(lines, None) != self._made_with:
            return {}
        found = {}
        for line in lines:
            path = Path(line["path"])
            if line["file"] == _state(path) and not line["error"]:
                predictions = tuple(Prediction(**entry) for entry in line["predictions"])
                found[path] = Answer(path=path, predictions=predictions, unsure=line["unsure"])
        return found

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Every whole line; the last one may have been cut off."""
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                return

    @contextmanager
    def writing(self, known: dict[Path, Answer]) -> Iterator["Writer"]:
        """Begin the file anew with what is known, and add to it."""
        temporary = self._path.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(json.dumps(self._made_with) + "\n")
            writer = Writer(file)
            for answer in known.values():
                writer.add(answer)
            temporary.replace(self._path)
            yield writer


class Writer:
    """Adds answers to an open journal."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def add(self, answer: Answer) -> None:
        """Keep one answer; it survives an interruption from now on."""
        line = {
            "path": str(answer.path),
            "file": _state(answer.path),
            "predictions": [asdict(prediction) for prediction in answer.predictions],
            "unsure": answer.unsure,
            "error": answer.error,
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def _state(path: Path) -> list[int] | None:
    """Size and time of a file, which change with its content; None where it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]
