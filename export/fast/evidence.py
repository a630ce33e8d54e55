"""A run and a folder of further pictures in, the images that can tell what a fast mode costs out.

What was trained or calibrated on admits nothing: there the margins flatter. That goes for every view of such an object.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from contract import UserError
from contract.text import counted
from dataset.clusters import find_clusters
from dataset.pictures.inspection import inspect_images
from dataset.reading.entries import Entry
from dataset.split_file import Example, read_split_csv
from evaluation.predict.files import find_images
from training.run_files import SPLIT_FILE

NO_LABEL = -1
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """`counted`: images that can admit a mode, with the target -1 where no label counts; `trained`: those trained on;
    `notes`: what was left out.
    """

    counted: list[Example]
    trained: list[Example]
    notes: list[str]


def read_evidence(run: Path, labels: Sequence[str], more: Path | None, near_duplicates: float) -> Evidence:
    """The validation images with their labels, the test images and those of the folder `more` without.

    Labels of the test split are not looked at, so that its figure stays one of images that decided nothing.
    Raises `UserError` where an image has gone or is not what it was.
    """
    splits = {split: read_split_csv(run / SPLIT_FILE, labels, split) for split in SPLITS}
    known = [example for examples in splits.values() for example in examples]
    added: list[Example] = []
    notes: list[str] = []
    if more is not None:
        known, added, notes = _add(known, more, near_duplicates)
    by_path = {example.path: example for example in known}
    train, val, test = ([by_path[example.path] for example in splits[split]] for split in SPLITS)
    seen = {example.cluster for example in train if example.cluster is not None}
    unlabelled = [replace(example, target=NO_LABEL) for example in (*test, *added)]
    fresh = [example for example in (*val, *unlabelled) if example.cluster is None or example.cluster not in seen]
    if left := len(val) + len(unlabelled) - len(fresh):
        notes = [*notes, f"{counted(left, 'image')} of objects that were trained on count for nothing"]
    return Evidence(counted=fresh, trained=train, notes=notes)


def _add(known: list[Example], folder: Path, threshold: float) -> tuple[list[Example], list[Example], list[str]]:
    """Known images and those of `folder`, all with the cluster that they have among them all."""
    inspection = inspect_images([*(example.path for example in known), *find_images([str(folder)])])
    if gone := [example.path for example in known if example.path not in inspection.pictures]:
        raise UserError(f"{gone[0]} can't be read any more ({inspection.unreadable[gone[0]]}); restore it")
    hashes = {inspection.pictures[example.path].sha256 for example in known}
    new = {picture.sha256: path for path, picture in inspection.pictures.items() if picture.sha256 not in hashes}
    paths = [*(example.path for example in known), *new.values()]
    groups = [None if example.cluster is None else f"cluster {example.cluster}" for example in known]
    entries = [
        Entry(path=path, label="", group=group)
        for path, group in zip(paths, [*groups, *([None] * len(new))], strict=True)
    ]
    clusters = find_clusters(entries, inspection.pictures, threshold)
    old = [replace(example, cluster=cluster) for example, cluster in zip(known, clusters, strict=False)]
    added = [
        Example(path=path, target=NO_LABEL, sha256=sha256, cluster=cluster)
        for (sha256, path), cluster in zip(new.items(), clusters[len(known) :], strict=True)
    ]
    notes = [f"{path}: {reason}" for path, reason in inspection.unreadable.items()]
    return old, added, [*inspection.notes, *notes]


def choose_balanced(examples: Sequence[Example], count: int, seed: int = 0) -> list[Example]:
    """Up to `count` images, as many of each class as there are, the rest from the others."""
    order = np.random.default_rng(seed).permutation(len(examples))
    by_class: dict[int, list[Example]] = {}
    for index in order:
        by_class.setdefault(examples[index].target, []).append(examples[index])
    chosen: list[Example] = []
    while len(chosen) < count and any(by_class.values()):
        for left in by_class.values():
            if left and len(chosen) < count:
                chosen.append(left.pop())
    return chosen
