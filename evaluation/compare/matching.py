"""Runs in, the same images of each in the same order out; runs that were measured on others are refused."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.pictures.duplicates import unite
from dataset.seen import SPLIT_FILE, images_seen, images_seen_before
from dataset.split_file import read_split_csv
from evaluation.answers import Answers
from evaluation.compare.run_answers import ComparisonError, RunAnswers, check_finished, has_answers, read_answers

CHOSE_THE_EPOCH = (
    "These images chose the best epoch of {runs}: every figure is a little too high, and a run with more epochs to "
    "choose from gains more by it."
)
IN_FOLDS = (
    "{runs} answered each of these images by a model of its fold, which had not seen it; the intervals are wider, as "
    "the models of the folds share images."
)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How many of the compared images a run learned from, by itself or through the weights it began from.

    `trained`: were trained on; `chose`: chose an epoch; `objects`: their object was trained on, in another image.
    """

    run: str
    images: int
    trained: int
    chose: int
    objects: int


@dataclass(frozen=True, kw_only=True)
class Matched:
    """Runs whose images and classes are in one order, with the object of each image, and notes for the user."""

    runs: list[RunAnswers]
    part: str
    clusters: NDArray[np.int64]
    notes: list[str]

    @property
    def folds(self) -> int:
        """The fewest models that answered the images for a run, each a part of them; 0: one model for each run."""
        return min((run.folds for run in self.runs if run.folds), default=0)

    @property
    def described(self) -> str:
        """What the images are, in words."""
        if self.part == "test":
            return "test"
        return "cross-validated" if all(run.folds for run in self.runs) else "validation"

    def answers(self, run: RunAnswers) -> Answers:
        """A run's answers, as what measures them takes them."""
        targets = np.array([example.target for example in run.examples], dtype=np.int64)
        return Answers(logits=run.logits, targets=targets, clusters=self.clusters)


def match(folders: Sequence[Path], part: str) -> Matched:
    """Read the runs and put their images in one order. Raises `ComparisonError`."""
    for folder in folders:
        check_finished(folder)
    lacking = [folder.name for folder in folders if not has_answers(folder, "test")]
    chosen = "test" if part == "test" or (part == "auto" and not lacking) else "val"
    runs = [read_answers(folder, chosen) for folder in folders]
    for other in runs[1:]:
        _check_classes(runs[0], other)
        _check_images(runs[0], other, chosen)
    ordered = [run.ordered(runs[0].labels) for run in runs]
    clusters = unite(*([example.cluster for example in run.examples] for run in ordered))
    notes = _notes(runs, lacking) if chosen == "val" else []
    return Matched(runs=ordered, part=chosen, clusters=np.array(clusters, dtype=np.int64), notes=notes)


def count_seen(run: RunAnswers) -> Seen:
    """What the run, and those whose weights it began from, have seen of these images.

    Models of folds have seen no image that they answer, and no other image of its object.
    """
    known = images_seen_before(run.folder) if run.folds else images_seen(run.folder)
    found = [known.get(example.sha256) for example in run.examples]
    trained_objects = set[int | None]() if run.folds else _trained_objects(run)
    return Seen(
        run=run.name,
        images=len(found),
        trained=found.count("train"),
        chose=found.count("val"),
        objects=sum(
            split != "train" and example.cluster in trained_objects
            for split, example in zip(found, run.examples, strict=True)
        ),
    )


def _trained_objects(run: RunAnswers) -> set[int | None]:
    return {example.cluster for example in read_split_csv(run.folder / SPLIT_FILE, run.labels, "train")} - {None}


def _notes(runs: Sequence[RunAnswers], lacking: Sequence[str]) -> list[str]:
    """What to know of a comparison on other images than those of the test split."""
    chosen_by = [run.name for run in runs if not run.folds]
    in_folds = [run.name for run in runs if run.folds]
    notes = []
    if lacking and chosen_by:
        notes.append(f"The validation images are compared: {', '.join(lacking)} kept no answers to test images.")
    if chosen_by:
        notes.append(CHOSE_THE_EPOCH.format(runs=", ".join(chosen_by) if in_folds else "each run"))
    if in_folds:
        notes.append(IN_FOLDS.format(runs=" and ".join(in_folds)))
    return notes


def _check_classes(first: RunAnswers, other: RunAnswers) -> None:
    """The same labels, in any order. Raises `ComparisonError`."""
    one, two = set(first.labels), set(other.labels)
    if one != two:
        only = [
            f"{run.name} alone has {', '.join(sorted(labels))}"
            for run, labels in ((first, one - two), (other, two - one))
            if labels
        ]
        raise ComparisonError(
            f"{first.name} and {other.name} have different classes: {'; '.join(only)}. "
            "Train both on the same classes (CLASSES=)"
        )


def _check_images(first: RunAnswers, other: RunAnswers, part: str) -> None:
    """The same files with the same labels, in any order. Raises `ComparisonError`."""
    one, two = Counter(first.keys), Counter(other.keys)
    if one == two:
        return
    name = {"test": "test", "val": "validation"}[part]
    same = {sha256 for sha256, _ in one} & {sha256 for sha256, _ in two}
    if {sha256 for sha256, _ in one} == {sha256 for sha256, _ in two}:
        moved = len({sha256 for sha256, _ in (one - two)})
        raise ComparisonError(
            f"{moved} of the {name} images have other labels in {first.name} than in {other.name}; "
            "correct the labels and train both again"
        )
    raise ComparisonError(
        f"{first.name} and {other.name} have different {name} images: {first.name} has {len(first.examples)}, "
        f"{other.name} has {len(other.examples)}, and {len(same)} are in both. Train {other.name} again on the split "
        f"of {first.name}: SPLIT={shlex.quote(str(first.folder / SPLIT_FILE))}"
    )
