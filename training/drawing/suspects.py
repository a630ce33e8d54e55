"""A cross-validated run's folder in, its suspicious labels out, as a page and a table."""

from pathlib import Path

import numpy as np

from contract import Adjustment
from dataset.split_file import read_split_csv
from evaluation.answers import Answers
from evaluation.suspects.page import write_page
from evaluation.suspects.suspects import LABELS_FILE, find_suspects, write_labels
from evaluation.words import describe_suspects
from training.learning.checkpoint import load_best
from training.run_files import SPLIT_FILE, VALIDATION_FILE, read_config, read_results

LABELS_PAGE = "labels.html"


def draw_suspects(folder: Path) -> None:
    """Rank the labels by what the folds answered; other runs have no answers to the images that they learned from.

    Test images stand at the end of the table, as nobody has looked at them. Raises `CheckpointError`, `OSError`.
    """
    if not read_config(folder).get("folds"):
        return
    results = read_results(folder)
    labels = [label for label, _ in results["classes"]]
    examples = read_split_csv(folder / SPLIT_FILE, labels, "train")
    with np.load(folder / VALIDATION_FILE, allow_pickle=False) as recorded:
        raw = Answers(logits=recorded["logits"], targets=recorded["targets"])
    suspects = find_suspects(raw.adjusted(Adjustment.from_dict(results.get("adjustment"))), results["temperature"])
    tested = read_split_csv(folder / SPLIT_FILE, labels, "test")
    # Without splits, where there is no test split: the table is to be dealt anew, as the images were.
    splits = ["train"] * len(examples) + ["test"] * len(tested) if tested else [""] * len(examples)
    write_labels(suspects, [*examples, *tested], splits, labels, folder / LABELS_FILE)
    write_page(
        suspects,
        examples,
        labels,
        title=f"Labels of the run {folder.name}",
        sentences=[describe_suspects(suspects.order.size, len(suspects.rows))],
        depth=load_best(folder).image.depth,
        path=folder / LABELS_PAGE,
    )
