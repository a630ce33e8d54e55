"""What has seen the test images before: other runs, and the weights that training starts from.

A test figure is only true for images that had no part in any choice; each further look at them makes it less so.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from contract.atomic import write_text_atomically
from dataset.data_set import DataSet
from dataset.seen import images_seen
from dataset.split_file import Example

LOOKS_FILE = ".test-looks.jsonl"
# Images of the one split are no longer new to weights that have had them in one of the others.
SEEN_IN = {"val": ("train",), "test": ("train", "val")}
SEEN_IN_FOLDS = dict.fromkeys(("train", "val", "test"), ("train", "val"))


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 over the content of these images, whatever their order."""
    return hashlib.sha256("\n".join(sorted(example.sha256 for example in examples)).encode()).hexdigest()


def record_look(runs: Path, run: str, examples: Sequence[Example]) -> int:
    """Note that `run` was measured on these test images; returns how often any run was, this one included."""
    path = runs / LOOKS_FILE
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    look = {"test": fingerprint(examples), "run": run, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    write_text_atomically(path, before + json.dumps(look) + "\n")
    return sum(json.loads(line)["test"] == look["test"] for line in [*before.splitlines(), json.dumps(look)])


def seen_by_weights(weights: str, data: DataSet, folds: int = 0) -> list[str]:
    """A warning if the weights come from a run that learned from, or was chosen by, today's held-out images.

    Folds hold out every image once.
    """
    learned = images_seen(Path(weights).parent.parent)
    seen = {
        split: sum(learned.get(example.sha256) in parts for example in data.splits[split])
        for split, parts in (SEEN_IN_FOLDS if folds else SEEN_IN).items()
        if split in data.splits
    }
    if not any(seen.values()):
        return []
    listed = " and ".join(
        f"{count} of the {len(data.splits[split])} {split} images" for split, count in seen.items() if count
    )
    remedy = "Train without FOLDS on that run's split" if folds else "Keep that run's split (SPLIT=its split.csv)"
    held_out = ", which the folds hold out" if folds else ""
    return [
        f"WEIGHTS={weights} comes from a run that has seen {listed}{held_out}: figures on these are too high. "
        f"{remedy}, or start from other weights"
    ]
