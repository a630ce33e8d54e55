"""Pictures in, clusters out: those that show the same object, in other light, in another crop or resolution.

Each picture's thumbnail is made grey, freed of its slow changes of brightness, and standardised; two are
near-duplicates where these correlate above a threshold. In a cluster every two pictures do (complete linkage), so that
a chain of pictures, each a little like the next, does not become one. On the defects of the magnetic-tile set, 0.9
finds 78 % of the pairs of exposures of one tile, with half as many false pairs as plain thumbnails of 24 px.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import pdist

SIDE = 16
SMOOTHING = 0.6  # px, forgives a crop that is a little different
BLUR = 3.0  # px, the high pass: what is wider than this, such as light and vignetting, does not count
BLOCK = 512
# Above this many pictures, all alike in a chain, only those that are more alike still are compared with one another.
LARGEST_COMPONENT = 4000


def signatures(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What near-duplicates share: float32 [N, 256], of length 1, or 0 where a picture is uniform.

    `thumbnails` is uint8 [N, S, S, 3], S a multiple of 16.
    """
    grey = thumbnails.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    step = grey.shape[1] // SIDE
    small = grey.reshape(len(grey), SIDE, step, SIDE, step).mean(axis=(2, 4))
    smooth, light = (gaussian_filter(small, (0, sigma, sigma), mode="nearest") for sigma in (SMOOTHING, BLUR))
    details = smooth - light
    flat = details.reshape(len(details), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    # Less than a tenth of a grey level is rounding, not a picture.
    visible = lengths > 0.1 * SIDE
    return np.where(visible, flat / np.maximum(lengths, 1e-6), 0).astype(np.float32)


def near_duplicates(signatures: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """The cluster of each picture, int64 [N]; every two pictures of a cluster correlate above `threshold`."""
    clusters = np.arange(len(signatures))
    for members in _components(signatures, threshold):
        clusters[members] = members[0] if len(members) == 2 else _split(signatures[members], members, threshold)
    return clusters


def _components(signatures: NDArray[np.float32], threshold: float) -> list[NDArray[np.int64]]:
    """Sets of at least two pictures, connected by correlations above `threshold`."""
    pairs = [_pairs_above(signatures, start, threshold) for start in range(0, len(signatures), BLOCK)]
    if not pairs:
        return []
    rows, columns = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(len(signatures), len(signatures)))
    count, component = connected_components(graph, directed=False)
    sizes = np.bincount(component, minlength=count)
    order = np.argsort(component, kind="stable")
    return [part for part in np.split(order, np.cumsum(sizes)[:-1]) if len(part) > 1]


def _pairs_above(signatures: NDArray[np.float32], start: int, threshold: float) -> NDArray[np.int64]:
    """Row and column of each correlation above `threshold` of the pictures from `start` on with later ones: [2, P]."""
    correlation = signatures[start : start + BLOCK] @ signatures[start:].T
    rows, columns = np.nonzero(np.triu(correlation, k=1) > threshold)
    return np.stack([rows, columns]) + start


def _split(signatures: NDArray[np.float32], members: NDArray[np.int64], threshold: float) -> NDArray[np.int64]:
    """Complete linkage within one component: the cluster of each member, named by its first picture."""
    if len(members) > LARGEST_COMPONENT:
        inner = near_duplicates(signatures, (1 + threshold) / 2)
        return members[inner]
    distances = np.clip(pdist(signatures.astype(np.float64), "sqeuclidean") / 2, 0, 2)  # 1 - correlation
    numbers = fcluster(linkage(distances, "complete"), 1 - threshold, "distance")
    first = {number: members[np.flatnonzero(numbers == number)[0]] for number in np.unique(numbers)}
    return np.array([first[number] for number in numbers])


def unite(*partitions: Sequence[object]) -> list[int]:
    """The finest partition that keeps together what any of these keeps together; None stands alone.

    Each gives every item the name of its part. The result names each part by its first item.
    """
    count = len(partitions[0])
    members: dict[tuple[int, object], list[int]] = defaultdict(list)
    for number, partition in enumerate(partitions):
        for item, part in enumerate(partition):
            if part is not None:
                members[number, part].append(item)
    edges = [(part[0], other) for part in members.values() for other in part[1:]]
    rows, columns = np.array(edges, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges), np.int8), (rows, columns)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    first: dict[int, int] = {}
    return [first.setdefault(int(number), item) for item, number in enumerate(component)]
