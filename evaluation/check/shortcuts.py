"""Probes in, verdicts out: does what surrounds the object give its class away?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataset.data_set import DataSet
from dataset.shortcuts import Probe, probe_shortcuts
from evaluation.answers import Answers
from evaluation.chance import compare_with_chance
from evaluation.intervals import share_interval

# With fewer held-out images the interval is so wide that no shortcut could be told.
FEWEST_IMAGES = 30


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """What one shortcut scores on the held-out images, with its 95 % interval, beside the commonest class."""

    name: str
    accuracy: float
    interval: tuple[float, float]
    majority: float
    better: bool

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        low, high = self.interval
        name = self.name[0].upper() + self.name[1:]
        scores = f"{name} alone scores {self.accuracy:.2f} (95 % confidence interval {low:.2f} to {high:.2f})"
        constant = f"always answering the commonest class scores {self.majority:.2f}"
        if self.better:
            return f"{scores}, {constant}: a model can be right without looking at the object"
        return f"{scores}: not shown to be better than always answering the commonest class ({self.majority:.2f})"


def beside_the_model(shortcuts: Sequence[Shortcut], scores: Mapping[str, Any]) -> list[str]:
    """Each shortcut that works, and whether a model with these figures (`Scores.as_dict`) is shown to know more."""
    low, high = scores["accuracy_interval"]
    told = []
    for shortcut in shortcuts:
        if shortcut.better:
            beats = "is above that" if low > shortcut.accuracy else "is not shown to be better than that"
            told.append(f"{shortcut.sentence}. The model's {scores['accuracy']:.2f} ({low:.2f} to {high:.2f}) {beats}.")
    return told


def find_shortcuts(data: DataSet) -> list[Shortcut]:
    """Every shortcut that was tried; none where there are too few held-out images to tell."""
    held_out = sum(len(examples) for split, examples in data.splits.items() if split != "train")
    if held_out < FEWEST_IMAGES:
        return []
    commonest = int(np.bincount([example.target for example in data.splits["train"]]).argmax())
    return [_judge(probe, commonest, len(data.classes)) for probe in probe_shortcuts(data)]


def _judge(probe: Probe, commonest: int, classes: int) -> Shortcut:
    hits = probe.answers == probe.targets
    clusters = np.unique(probe.clusters, return_inverse=True)[1]
    certain = np.eye(classes, dtype=np.float32)[probe.answers]
    chance = compare_with_chance(Answers(logits=certain, targets=probe.targets, clusters=clusters), commonest)
    return Shortcut(
        name=probe.name,
        accuracy=float(hits.mean()),
        interval=share_interval(hits, clusters),
        majority=float((probe.targets == chance.reference).mean()),
        better=chance.better,
    )


def sentences(shortcuts: Sequence[Shortcut]) -> list[str]:
    """One sentence for each shortcut, the best first, or that none could be tried."""
    if not shortcuts:
        return ["There are too few held-out images to tell whether the background gives the class away"]
    return [found.sentence for found in sorted(shortcuts, key=lambda found: -found.accuracy)]
