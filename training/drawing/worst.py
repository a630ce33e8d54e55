"""A finished run's folder in, a contact sheet of its worst mistakes on held-out images out."""

from functools import partial
from pathlib import Path

import numpy as np

from contract import Adjustment
from dataset.clusters import cluster_numbers
from dataset.seen import split_of
from dataset.split_file import read_split_csv
from evaluation.answers import Answers
from evaluation.mistakes.mistakes import MISTAKES_FOLDER, write_mistakes
from training.learning.checkpoint import load_best
from training.model.activation import class_activation_maps
from training.run_files import SPLIT_FILE, TEST_FILE, VALIDATION_FILE, read_results


def draw_mistakes(folder: Path) -> None:
    """Draw the mistakes on the test images, or on the validation images if there are none.

    Raises `CheckpointError`, `OSError`.
    """
    results = read_results(folder)
    split, file = ("test", TEST_FILE) if (folder / TEST_FILE).exists() else ("val", VALIDATION_FILE)
    labels = [label for label, _ in results["classes"]]
    examples = read_split_csv(folder / SPLIT_FILE, labels, split_of(split, results))
    with np.load(folder / file, allow_pickle=False) as recorded:
        raw = Answers(logits=recorded["logits"], targets=recorded["targets"], clusters=cluster_numbers(examples))
    trained = load_best(folder)
    write_mistakes(
        raw.adjusted(Adjustment.from_dict(results.get("adjustment"))),
        examples,
        labels,
        results["temperature"],
        trained.image,
        partial(class_activation_maps, trained.model),
        folder / MISTAKES_FOLDER,
    )
