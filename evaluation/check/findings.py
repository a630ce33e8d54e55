"""A data set in, what there is to show of it out: sizes, kinds of pixels, imbalance, and images that need a look."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset.data_set import DataSet
from dataset.split_file import Example

# From here on, accuracy hides the smaller classes (and the best epoch is chosen by macro-F1).
IMBALANCED = 3


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An image for the page: where it is, its class and its split."""

    example: Example
    label: str
    split: str


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the page shows. Each of the lists of images is one object, or one file under several labels."""

    sizes: str
    kinds: list[tuple[str, int]]
    imbalance: str
    exposure: str
    clusters: list[list[Shown]]
    crossing: list[list[Shown]]
    mislabelled: list[list[Shown]]


def find(data: DataSet) -> Findings:
    """Everything that needs no model."""
    shown = {
        example.path: Shown(example=example, label=data.labels[example.target], split=split)
        for split, examples in data.splits.items()
        for example in examples
    }
    clusters = [[shown[example.path] for example in cluster] for cluster in data.clusters]
    return Findings(
        sizes=_sizes(data),
        kinds=Counter(picture.mode for picture in data.pictures.values()).most_common(),
        imbalance=_imbalance(data),
        exposure=_exposure(data),
        clusters=clusters,
        crossing=[cluster for cluster in clusters if len({image.split for image in cluster}) > 1],
        mislabelled=_mislabelled(list(shown.values())),
    )


def _sizes(data: DataSet) -> str:
    sides = np.array([(picture.width, picture.height) for picture in data.pictures.values()])
    areas = sides.prod(axis=1)
    smallest, median, largest = (sides[np.argsort(areas)[place]] for place in (0, len(areas) // 2, -1))
    return ", ".join(
        f"{name} {width} x {height}"
        for name, (width, height) in (("smallest", smallest), ("median", median), ("largest", largest))
    )


def _imbalance(data: DataSet) -> str:
    totals = Counter({label: sum(data.count(split)[label] for split in data.splits) for label in data.labels})
    (most, most_images), (fewest, fewest_images) = totals.most_common()[0], totals.most_common()[-1]
    if most_images <= IMBALANCED * fewest_images:
        return ""
    return (
        f"{most} has {most_images / fewest_images:.0f} times as many images as {fewest} ({most_images} and "
        f"{fewest_images}): accuracy hides the small classes, look at macro-F1 and at the recall of each class"
    )


def _exposure(data: DataSet) -> str:
    """A proposal where the brightness of images differs more than what is seen inside one."""
    grey = np.stack([picture.thumbnail.mean(axis=2) for picture in data.pictures.values()])
    between, within = float(grey.mean(axis=(1, 2)).std()), float(np.median(grey.std(axis=(1, 2))))
    if between <= within:
        return ""
    return (
        f"The exposure varies: the mean brightness of images differs by {between:.0f} grey levels, the brightness "
        f"inside an image by {within:.0f} (standard deviations). If brightness says nothing about the class, train "
        "with CONTRAST=standard, which brings each image to the same mean and contrast"
    )


def _mislabelled(images: Sequence[Shown]) -> list[list[Shown]]:
    """Byte-identical files in several classes."""
    same: dict[str, list[Shown]] = defaultdict(list)
    for image in images:
        same[image.example.sha256].append(image)
    return [found for found in same.values() if len({image.label for image in found}) > 1]
