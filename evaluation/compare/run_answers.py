"""A run's folder in, its answers to its held-out images out, with the hash, path and object of each image."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract import Adjustment, UserError
from contract.manifest import sha256_of
from dataset.seen import CONFIG_FILE, SPLIT_FILE, split_of
from dataset.split_file import Example, read_split_csv

RESULTS_FILE = "results.json"
ANSWER_FILES = {"test": "test.npz", "val": "validation.npz"}


class ComparisonError(UserError):
    """Runs that can't be compared: one is not finished, or they were measured on different images or classes."""


@dataclass(frozen=True, kw_only=True)
class RunAnswers:
    """A run's answers to the images of one split: `logits` [N, C] for `examples`, C the classes `labels`.

    The adjustment for rare classes is taken off the logits already: the largest is what is answered. `folds` models
    that had not seen them answered the images, each a part; 0: the run's one model answered all.
    """

    name: str
    folder: Path
    labels: list[str]
    temperature: float
    epoch: int
    folds: int
    logits: NDArray[np.float32]
    examples: list[Example]

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Hash and label of each image."""
        return [(example.sha256, self.labels[example.target]) for example in self.examples]

    def ordered(self, labels: Sequence[str]) -> "RunAnswers":
        """The same with the images in the order of their keys, and the classes in this order."""
        keys = self.keys
        rows = sorted(range(len(keys)), key=lambda row: keys[row])
        columns = [self.labels.index(label) for label in labels]
        examples = [self.examples[row] for row in rows]
        return replace(
            self,
            labels=list(labels),
            logits=self.logits[rows][:, columns],
            examples=[replace(example, target=columns.index(example.target)) for example in examples],
        )


def has_answers(folder: Path, part: str) -> bool:
    """Whether the run kept its answers to this split."""
    return (folder / ANSWER_FILES[part]).is_file()


def check_finished(folder: Path) -> None:
    """Raises `ComparisonError` for what is no run, or a run that has not ended."""
    _results(folder)


def read_answers(folder: Path, part: str) -> RunAnswers:
    """The run's answers to the split `part`, "test" or "val". Raises `ComparisonError`.

    The images are those of split.csv, in its order, which is that of the logits.
    """
    results, path = _results(folder), folder / ANSWER_FILES[part]
    if not path.is_file():
        raise ComparisonError(f"{folder} has no answers to {part} images ({path.name}); {_remedy(results, part)}")
    if sha256_of(path) != results.get("files", {}).get(path.name, sha256_of(path)):
        raise ComparisonError(
            f"{path} is not of the training that wrote {folder / RESULTS_FILE}; "
            f"train {folder.name} again with OVERWRITE=1"
        )
    labels = [label for label, _ in results["classes"]]
    with np.load(path, allow_pickle=False) as recorded:
        logits, targets = recorded["logits"], recorded["targets"]
        hashes = recorded["sha256"].tolist() if "sha256" in recorded else None
    examples = _examples(folder, labels, split_of(part, results))
    if targets.tolist() != [each.target for each in examples] or (
        hashes is not None and hashes != [each.sha256 for each in examples]
    ):
        raise ComparisonError(
            f"{folder / SPLIT_FILE} lists other images than {path} has answers to; "
            f"restore it, or train {folder.name} again with OVERWRITE=1"
        )
    return RunAnswers(
        name=folder.name,
        folder=folder,
        labels=labels,
        temperature=float(results["temperature"]),
        epoch=int(results["epoch"]),
        folds=_folds(folder) if part == "val" else 0,
        logits=logits - Adjustment.from_dict(results.get("adjustment")).offsets,
        examples=examples,
    )


def _folds(folder: Path) -> int:
    """How many the run was cross-validated in; earlier versions knew none."""
    return int(json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")).get("folds", 0))


def _examples(folder: Path, labels: list[str], part: str) -> list[Example]:
    try:
        return read_split_csv(folder / SPLIT_FILE, labels, part)
    except (KeyError, ValueError) as error:
        raise ComparisonError(
            f"{folder / SPLIT_FILE} is not the table that {folder.name} was trained with ({error}); "
            f"restore it, or train {folder.name} again with OVERWRITE=1"
        ) from error


def _results(folder: Path) -> dict[str, Any]:
    path = folder / RESULTS_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ComparisonError(
            f"{path} does not exist; expected the name of a finished run in {folder.parent}"
        ) from None
    except ValueError as error:
        raise ComparisonError(f"{path} is not valid JSON ({error}); train {folder.name} again") from error
    return content


def _remedy(results: dict[str, Any], part: str) -> str:
    if part == "test" and not results["test"]:
        return "its data has no test split; compare on the validation images: PART=val"
    return "an earlier version trained it; train it again, or compare on the validation images: PART=val"
