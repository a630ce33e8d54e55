"""Figures of a run in, sentences out: what a person must know before believing them; each only where it is so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.words import listed, p_value

FEW_STEPS = 500
# The validation loss fell by more than this share over the last quarter of the epochs.
STILL_FALLING = 0.05
# Nothing is to be gained from more epochs where accuracy is surely above.
GOOD_ENOUGH = 0.95
# Beyond their intervals, training and validation must also differ by this.
MEMORISED_GAP = 0.05
# An interval this wide leaves open whether a model is of use.
WIDE_INTERVAL = 0.2


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a model: the figures (`Scores.as_dict`) of each split, and how it was trained.

    `split` is the one that is judged. What is unknown is None or empty: a model that comes without its training is
    judged by its figures alone. `validation_losses` has one value for each epoch; `looks` counts the runs that were
    measured on the test images, this one included.
    """

    split: str
    scores: Mapping[str, Any]
    training: Mapping[str, Any] | None = None
    validation: Mapping[str, Any] | None = None
    steps: int | None = None
    random_weights: bool = False
    best_epoch: int | None = None
    validation_losses: Sequence[float] = ()
    looks: int = 0


def judge(evidence: Evidence) -> list[str]:
    """Every sentence that holds, the gravest first; none if there is nothing to say."""
    found = [
        _no_better_than_chance(evidence),
        _too_few_images(evidence),
        _memorised(evidence),
        _never_answered(evidence),
        _never_right(evidence),
        _never_measured(evidence),
        _still_improving(evidence),
        _chose_the_epoch(evidence),
        _looked_at(evidence),
    ]
    return [sentence for sentence in found if sentence]


def is_still_improving(losses: Sequence[float], best_epoch: int | None) -> bool:
    """The last epoch is the best and has the lowest loss, which fell by 5 % over the last quarter of the epochs."""
    quarter = max(1, len(losses) // 4)
    if len(losses) < 2 or best_epoch != len(losses) or losses[-1] > min(losses):
        return False
    return losses[-1] < (1 - STILL_FALLING) * losses[-1 - quarter]


def _no_better_than_chance(evidence: Evidence) -> str:
    scores = evidence.scores
    if scores["better_than_chance"]:
        return ""
    sentence = (
        f"Not shown to be better than chance: on {scores['images']} {evidence.split} images, accuracy is "
        f"{scores['accuracy']:.3f}, and always answering {scores['majority_label']} gives {scores['majority']:.3f} "
        f"({p_value(scores['chance_p_value'])}; below 0.001 is asked for)."
    )
    reasons = _reasons(evidence)
    return f"{sentence} Likely reasons: {'; '.join(reasons)}." if reasons else sentence


def _reasons(evidence: Evidence) -> list[str]:
    """Of the training only if the interval reaches down to the constant answer; else only images are missing."""
    reasons = []
    below = evidence.scores["accuracy_interval"][0] <= evidence.scores["majority"]
    if below and evidence.random_weights:
        reasons.append("training began with random weights, which need many more images than ImageNet's")
        if evidence.steps is not None and evidence.steps < FEW_STEPS:
            reasons.append(f"{evidence.steps} steps are few, expected are {FEW_STEPS} or more")
    if below and is_still_improving(evidence.validation_losses, evidence.best_epoch):
        reasons.append("the model was still improving when training ended")
    if _is_wide(evidence.scores):
        reasons.append("the images are too few to show it")
    return reasons


def _is_wide(scores: Mapping[str, Any]) -> bool:
    low, high = scores["accuracy_interval"]
    return bool(high - low > WIDE_INTERVAL)


def _too_few_images(evidence: Evidence) -> str:
    if not _is_wide(evidence.scores):
        return ""
    low, high = evidence.scores["accuracy_interval"]
    images, clusters = evidence.scores["images"], evidence.scores["clusters"]
    objects = f" of {clusters} objects" if clusters < images else ""
    return (
        f"Too few images to say how good the model is: with {images} {evidence.split} images{objects}, "
        f"the accuracy may be anywhere between {low:.3f} and {high:.3f}."
    )


def _memorised(evidence: Evidence) -> str:
    training, held_out = evidence.training, evidence.validation or evidence.scores
    if not training or training["accuracy"] - held_out["accuracy"] < MEMORISED_GAP:
        return ""
    if training["accuracy_interval"][0] <= held_out["accuracy_interval"][1]:
        return ""
    return (
        f"The model has memorised part of its training images: it answers {training['accuracy']:.3f} of them right, "
        f"but only {held_out['accuracy']:.3f} of images that it has not seen. More images help most."
    )


def _rows(evidence: Evidence) -> Sequence[Mapping[str, Any]]:
    rows: Sequence[Mapping[str, Any]] = evidence.scores["per_class"]
    return rows


def _never_answered(evidence: Evidence) -> str:
    names = [row["label"] for row in _rows(evidence) if row["images"] and not row["answered"]]
    return (
        f"Never answered on the {evidence.split} images, though there are some of it: {listed(names)}." if names else ""
    )


def _never_right(evidence: Evidence) -> str:
    names = [row["label"] for row in _rows(evidence) if row["images"] and row["answered"] and not row["recall"]]
    if not names:
        return ""
    return f"No {evidence.split} image was recognised (recall 0) of: {listed(names)}."


def _never_measured(evidence: Evidence) -> str:
    names = [row["label"] for row in _rows(evidence) if not row["images"]]
    if not names:
        return ""
    return f"Nothing is known of classes without {evidence.split} images: {listed(names)}."


def _still_improving(evidence: Evidence) -> str:
    if not is_still_improving(evidence.validation_losses, evidence.best_epoch):
        return ""
    if evidence.scores["accuracy"] == 1 or evidence.scores["accuracy_interval"][0] > GOOD_ENOUGH:
        return ""
    return (
        "The model was still improving: the last epoch was the best, and the validation loss was still falling. "
        "Train for more epochs."
    )


def _chose_the_epoch(evidence: Evidence) -> str:
    if evidence.split != "validation" or not evidence.validation_losses:
        return ""
    return (
        "The validation images chose the best epoch, so their accuracy is a little too high. "
        "Only images that had no part in any choice, a test split, give a true figure."
    )


def _looked_at(evidence: Evidence) -> str:
    if evidence.split != "test" or evidence.looks < 2:
        return ""
    return (
        f"The test images have been looked at by {evidence.looks} runs, this one included. "
        "If a run was chosen by them, its test accuracy is too high."
    )
