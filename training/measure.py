"""A trained model in, its results out: the best epoch measured in float32, calibrated and tested."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from contract import Adjustment
from contract.atomic import write_atomically, write_text_atomically
from contract.text import as_json
from dataset.split_file import Example
from evaluation.answers import Answers
from evaluation.calibration import fit_adjustment, fit_temperature
from evaluation.check.shortcuts import Shortcut, beside_the_model
from evaluation.curves import risk_coverage
from evaluation.intervals import widen_intervals
from evaluation.metrics import score
from evaluation.thresholds import unsure_below
from evaluation.verdicts import Evidence, judge
from training.folds.cross_validation import CrossValidation
from training.learning import checkpoint
from training.learning.judge import Record
from training.learning.trainer import Trainer
from training.looks import record_look
from training.run_files import PARITY_FILE, RESULTS_FILE, TEST_FILE, VALIDATION_FILE, hash_files

# Enough to tell what was memorised; a pass over a large training split would take as long as an epoch.
TRAINING_IMAGES = 1000
# A model that learned how common each class is must be told all of it. One that drew them equally often must not, but
# it has partly learned the few images of a rare class by heart, and takes others like them for a common class.
EXPECTED_STRENGTH = {"adjust": 1.0, "sample": 0.5}
# Classes that are drawn equally often are favoured already. What is left to choose is macro-F1, which asks as much of
# the common classes: on tiles that overlap, it was 0.43 so, and 0.38 where all classes count alike.
EVENNESS = {"adjust": 1.0, "sample": 0.5}
# The packages that decide what a training computes.
VERSIONED = ("torch", "torchvision", "numpy", "pillow")


def measure(
    trainer: Trainer, history: list[Record], shortcuts: Sequence[Shortcut], cross: CrossValidation | None = None
) -> None:
    """Measure the best epoch on all splits, choose temperature and adjustment, and write the results.

    What is chosen, and the validation figures, come from the validation images, or from the folds where there are some.
    The raw logits of held-out images are kept: export must reproduce them, and runs are compared by them.
    """
    folder, data = trainer.config.folder, trainer.data
    best = checkpoint.load_best(folder)
    trainer.model.load_state_dict(best.model.state_dict())
    raw = cross.answers if cross else trainer.evaluate("val")
    _keep(raw, cross.examples if cross else data.splits["val"], folder / VALIDATION_FILE)
    parity = _save_for_parity(trainer) if cross else "val"
    adjustment = _adjust(trainer, raw)
    held_out = raw.adjusted(adjustment)
    temperature = fit_temperature(held_out)
    folds = trainer.config.folds
    training = trainer.answers(_sample(data.splits["train"])).adjusted(adjustment)
    results: dict[str, Any] = {
        "epoch": best.epoch,
        "epochs": int(history[-1]["epoch"]),
        "plan": asdict(trainer.plan),
        "temperature": temperature,
        "adjustment": asdict(adjustment),
        "classes": [[entry.label, entry.display_name] for entry in data.classes],
        "validation": {**_held_out(trainer, held_out, temperature), "unsure_below": _propose(held_out, temperature)},
        "training": _score(trainer, training, temperature),
        **_test(trainer, temperature, adjustment),
        "parity_split": parity,
        "images": {split: data.count(split) for split in data.splits},
        "shortcuts": [asdict(shortcut) for shortcut in shortcuts],
        "warnings": data.warnings,
        "notes": data.notes,
        **_circumstances(trainer, history),
        "files": hash_files(folder),
    }
    results["sources"] = _sources(folds, parity, has_test=bool(results["test"]))
    told = beside_the_model(shortcuts, results["test"] or results["validation"])
    results["verdicts"] = [*judge(_evidence(trainer, results, history)), *told]
    write_text_atomically(folder / RESULTS_FILE, as_json(results))


def _circumstances(trainer: Trainer, history: list[Record]) -> dict[str, Any]:
    """Where, when, how fast and with what it was trained."""
    return {
        "device": str(trainer.step.device),
        "precision": str(trainer.step.precision).removeprefix("torch."),
        "images_per_s": float(np.median([record["images_per_s"] for record in history])),
        "seconds": sum(record["seconds"] for record in history),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in VERSIONED}},
    }


def _save_for_parity(trainer: Trainer) -> str:
    """The logits that export must reproduce, as the folds' are those of other models; returns the split."""
    split = "test" if "test" in trainer.data.splits else "train"
    _keep(trainer.evaluate(split), trainer.data.splits[split], trainer.config.folder / PARITY_FILE)
    return split


def _sources(folds: int, parity: str, *, has_test: bool) -> dict[str, str]:
    """The images that each figure and each choice comes from, for the manifest."""
    chosen = f"{folds} folds, each answered by a model that has not seen it" if folds else "validation images"
    shown = {"val": "validation images", "test": "test images", "train": "all images, seen in training"}
    return {
        "accuracy": "test images" if has_test else chosen,
        "temperature": chosen,
        "adjustment": chosen,
        "unsure_below": chosen,
        "parity": shown[parity],
    }


def _held_out(trainer: Trainer, answers: Answers, temperature: float) -> dict[str, Any]:
    """The figures of images that the model, or the model of their fold, has not seen."""
    scores = _score(trainer, answers, temperature)
    return widen_intervals(scores, trainer.config.folds) if trainer.config.folds else scores


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
    split = "test" if results["test"] else "cross-validated" if trainer.config.folds else "validation"
    return Evidence(
        split=split,
        scores=results["test"] or results["validation"],
        training=results["training"],
        validation=results["validation"],
        steps=results["epochs"] * trainer.plan.steps_per_epoch,
        random_weights=trainer.config.weights == "none",
        best_epoch=results["epoch"],
        validation_losses=[record["val_loss"] for record in history],
        looks=results["test_looks"],
    )


def _sample(examples: list[Example]) -> list[Example]:
    return sorted(examples, key=lambda example: example.sha256)[:TRAINING_IMAGES]


def _adjust(trainer: Trainer, validation: Answers) -> Adjustment:
    """How strongly rare classes are favoured; not at all where the classes are about equally common."""
    if trainer.plan.balance == "none":
        return Adjustment()
    return fit_adjustment(
        validation,
        list(trainer.data.count("train").values()),
        expected=EXPECTED_STRENGTH[trainer.plan.balance],
        evenness=EVENNESS[trainer.plan.balance],
    )


def _test(trainer: Trainer, temperature: float, adjustment: Adjustment) -> dict[str, Any]:
    """The test figures, those without the images whose object is in another split too, and how often anyone looked."""
    if "test" not in trainer.data.splits:
        return {"test": None, "test_untouched": None, "test_looks": 0}
    examples = trainer.data.splits["test"]
    raw, touched = trainer.evaluate("test"), np.array(trainer.data.touched("test"))
    _keep(raw, examples, trainer.config.folder / TEST_FILE)
    answers = raw.adjusted(adjustment)
    looks = record_look(trainer.config.runs, trainer.config.run, examples)
    untouched = None
    if touched.any() and not touched.all():
        untouched = _score(trainer, answers.part(~touched), temperature)
    return {
        "test": _score(trainer, answers, temperature),
        "test_untouched": untouched,
        "test_looks": looks,
    }
