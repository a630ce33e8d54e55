"""Entries and their pictures in, the cluster of each out: what shows the same object belongs together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.pictures.cache import Picture
from dataset.pictures.duplicates import near_duplicates, signatures, unite
from dataset.reading.entries import Entry
from dataset.split_file import Example


def find_clusters(entries: Sequence[Entry], pictures: Mapping[Path, Picture], threshold: float) -> list[int]:
    """The cluster of each entry: what shares a group, is byte-identical, or is a near-duplicate, belongs together.

    The order of the files and their names make no difference: near-duplicates are sought in the order of the hashes.
    """
    hashes = [pictures[entry.path].sha256 for entry in entries]
    thumbnails = {pictures[entry.path].sha256: pictures[entry.path].thumbnail for entry in entries}
    ordered = sorted(thumbnails)
    similar = dict(zip(ordered, ordered, strict=True))
    if threshold < 1 and ordered:
        found = near_duplicates(signatures(np.stack([thumbnails[key] for key in ordered])), threshold)
        similar = {key: ordered[cluster] for key, cluster in zip(ordered, found, strict=True)}
    return unite([similar[key] for key in hashes], [entry.group for entry in entries])


def cluster_numbers(examples: Sequence[Example]) -> NDArray[np.int64]:
    """The cluster of each image [N]; an image without one is given its own, a negative number."""
    numbers = [-1 - index if example.cluster is None else example.cluster for index, example in enumerate(examples)]
    return np.array(numbers, dtype=np.int64)
