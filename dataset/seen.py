"""A run's folder in, the images that its model has seen out: its own split, and those behind its first weights."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dataset.errors import DataError
from dataset.split_file import read_known_splits

SPLIT_FILE = "split.csv"
CONFIG_FILE = "config.json"
# From least to most: nothing was learned from test images, validation images chose an epoch.
_LEARNED = ("test", "val", "train")


def images_seen(folder: Path) -> dict[str, str]:
    """The split of each image, by its SHA-256, in the run in `folder` and in the runs whose weights it began from.

    An image that was in several gets the one in which most was learned from it. Empty if `folder` is not a run's.
    """
    return _most_seen(*(splits for _, splits in _lineage(folder)))


def images_seen_before(folder: Path) -> dict[str, str]:
    """The same, in the runs whose weights the run in `folder` began from alone."""
    return _most_seen(*(splits for run, splits in _lineage(folder) if run != folder.resolve()))


def split_of(part: str, results: Mapping[str, Any]) -> str:
    """The split in split.csv whose answers a run keeps as those to `part`, "test" or "val".

    A cross-validated run has no validation split: each training image was answered by a model that has not seen it.
    """
    return "train" if part == "val" and "val" not in results["images"] else part


def _lineage(folder: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The run, then those whose weights it began from, each with the split of its images."""
    followed = set[Path]()
    while (run := folder.resolve()) not in followed and all(
        (run / name).is_file() for name in (SPLIT_FILE, CONFIG_FILE)
    ):
        try:
            yield run, read_known_splits(run / SPLIT_FILE)
        except DataError:
            return  # a table of the user's own beside weights, not a run's
        followed.add(run)
        weights = json.loads((run / CONFIG_FILE).read_text(encoding="utf-8")).get("weights")
        folder = Path(str(weights)).parent.parent


def _most_seen(*runs: dict[str, str]) -> dict[str, str]:
    ranked = sorted((_LEARNED.index(split), sha256) for run in runs for sha256, split in run.items())
    return {sha256: _LEARNED[rank] for rank, sha256 in ranked}
