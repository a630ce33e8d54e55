"""A trained model in, its results out: the best epoch measured in float32, calibrated and tested."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from contract.atomic import write_atomically, write_text_atomically
from contract.text import as_json
from dataset.split_file import Example
from evaluation.answers import Answers
from evaluation.calibration import fit_temperature
from evaluation.check.shortcuts import Shortcut
from evaluation.curves import risk_coverage
from evaluation.metrics import score
from evaluation.thresholds import unsure_below
from evaluation.verdicts import Evidence, judge
from training.learning import checkpoint
from training.learning.fit import Record
from training.learning.trainer import Trainer
from training.looks import record_look
from training.run_files import RESULTS_FILE, TEST_FILE, VALIDATION_FILE, hash_files

# Enough to tell what was memorised; a pass over a large training split would take as long as an epoch.
TRAINING_IMAGES = 1000
# The packages that decide what a training computes.
VERSIONED = ("torch", "torchvision", "numpy", "pillow")


def measure(trainer: Trainer, history: list[Record], shortcuts: Sequence[Shortcut]) -> None:
    """Measure the best epoch on all splits, fit the temperature on validation, and write the results.

    The logits of held-out images are kept: export must reproduce those of validation, and runs are compared by them.
    """
    folder, data = trainer.config.folder, trainer.data
    best = checkpoint.load_best(folder)
    trainer.model.load_state_dict(best.model.state_dict())
    validation = trainer.evaluate("val")
    _keep(validation, data.splits["val"], folder / VALIDATION_FILE)
    temperature = fit_temperature(validation)
    training = trainer.answers(_sample(data.splits["train"]))
    results: dict[str, Any] = {
        "epoch": best.epoch,
        "temperature": temperature,
        "classes": [[entry.label, entry.display_name] for entry in data.classes],
        "validation": {**_score(trainer, validation, temperature), "unsure_below": _propose(validation, temperature)},
        "training": _score(trainer, training, temperature),
        **_test(trainer, temperature),
        "images": {split: data.count(split) for split in data.splits},
        "shortcuts": [asdict(shortcut) for shortcut in shortcuts],
        "warnings": data.warnings,
        "notes": data.notes,
        "device": str(trainer.step.device),
        "precision": str(trainer.step.precision).removeprefix("torch."),
        "images_per_s": float(np.median([record["images_per_s"] for record in history])),
        "seconds": sum(record["seconds"] for record in history),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in VERSIONED}},
        "files": hash_files(folder),
    }
    told = [f"{shortcut.sentence}." for shortcut in shortcuts if shortcut.better]
    results["verdicts"] = [*judge(_evidence(trainer, results, history)), *told]
    write_text_atomically(folder / RESULTS_FILE, as_json(results))


def _keep(answers: Answers, examples: Sequence[Example], path: Path) -> None:
    """Write the logits and targets of a split, and the SHA-256 of each image's file."""
    hashes = np.array([example.sha256 for example in examples], dtype=np.str_)
    write_atomically(path, lambda file: np.savez(file, logits=answers.logits, targets=answers.targets, sha256=hashes))


def _score(trainer: Trainer, answers: Answers, temperature: float) -> dict[str, Any]:
    """All figures, beside those of always answering the commonest class of the training images."""
    counts = list(trainer.data.count("train").values())
    return score(answers, trainer.data.labels, temperature, majority=counts.index(max(counts))).as_dict()


def _propose(validation: Answers, temperature: float) -> float | None:
    """Below which probability an answer is better shown to a person, as far as validation tells."""
    proposed = unsure_below(risk_coverage(validation, temperature))
    return proposed.threshold if proposed else None


def _evidence(trainer: Trainer, results: dict[str, Any], history: list[Record]) -> Evidence:
    split = "test" if results["test"] else "validation"
    return Evidence(
        split=split,
        scores=results[split],
        training=results["training"],
        validation=results["validation"],
        steps=len(history) * len(trainer.batches),
        random_weights=trainer.config.weights == "none",
        best_epoch=results["epoch"],
        validation_losses=[record["val_loss"] for record in history],
        looks=results["test_looks"],
    )


def _sample(examples: list[Example]) -> list[Example]:
    return sorted(examples, key=lambda example: example.sha256)[:TRAINING_IMAGES]


def _test(trainer: Trainer, temperature: float) -> dict[str, Any]:
    """The test figures, those without the images whose object is in another split too, and how often anyone looked."""
    if "test" not in trainer.data.splits:
        return {"test": None, "test_untouched": None, "test_looks": 0}
    examples = trainer.data.splits["test"]
    answers, touched = trainer.evaluate("test"), np.array(trainer.data.touched("test"))
    _keep(answers, examples, trainer.config.folder / TEST_FILE)
    looks = record_look(trainer.config.runs, trainer.config.run, examples)
    untouched = None
    if touched.any() and not touched.all():
        untouched = _score(trainer, answers.part(~touched), temperature)
    return {
        "test": _score(trainer, answers, temperature),
        "test_untouched": untouched,
        "test_looks": looks,
    }
