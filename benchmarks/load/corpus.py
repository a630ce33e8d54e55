"""The files to send and the answers they must get: a folder of pictures with an index."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

INDEX = "corpus.json"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of the corpus and the model's answer for it: label -> probability, of every class."""

    file: str
    size: str
    answer: dict[str, float]


def read_corpus(folder: Path) -> list[Entry]:
    """The corpus in `folder`."""
    return [Entry(**entry) for entry in json.loads((folder / INDEX).read_text(encoding="utf-8"))]


def write_index(entries: list[Entry], folder: Path) -> None:
    """Make `folder`, which holds the entries' files, a corpus."""
    text = json.dumps([asdict(entry) for entry in entries], ensure_ascii=False)
    (folder / INDEX).write_text(text, encoding="utf-8")
