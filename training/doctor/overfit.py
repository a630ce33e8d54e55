"""A trainer in, whether its model can learn sixteen images by heart out: what can't do that learns nothing at all."""

import numpy as np
from torch import Tensor

from dataset.data_set import DataSet
from dataset.split_file import Example
from training.doctor.finding import Finding
from training.doctor.trial import Taken, Trial
from training.learning.trainer import Trainer

IMAGES = 16
STEPS = 80
LEARNED = 0.9


def overfit(trainer: Trainer) -> list[Taken]:
    """Steps on sixteen images, as they are served, until nine tenths and more are right three times in a row."""
    trial = Trial(trainer, [batch_of(trainer)])
    taken: list[Taken] = []
    while len(taken) < STEPS and not is_learned(taken):
        taken.append(trial.step(trainer.config.peak_lr))
        if not np.isfinite(taken[-1].loss):
            break
    return taken


def batch_of(trainer: Trainer) -> tuple[Tensor, Tensor]:
    """The sixteen images, uint8 [N, H, W, 3], and their classes [N]."""
    chosen = choose(trainer.data)
    images, targets = next(iter(trainer.held_out.of(chosen)))
    return images, targets


def choose(data: DataSet) -> list[Example]:
    """Up to sixteen training images of different objects, of all classes in turn."""
    ordered = sorted(data.splits["train"], key=lambda example: example.sha256)
    objects = {
        (-1 - place if example.cluster is None else example.cluster): example for place, example in enumerate(ordered)
    }
    of_class: dict[int, list[Example]] = {}
    for example in objects.values():
        of_class.setdefault(example.target, []).append(example)
    rounds = max(len(examples) for examples in of_class.values())
    in_turn = [examples[turn] for turn in range(rounds) for examples in of_class.values() if turn < len(examples)]
    return in_turn[:IMAGES]


def is_learned(taken: list[Taken]) -> bool:
    """Whether nearly all images were right in each of the last three steps."""
    return len(taken) >= 3 and all(step.accuracy >= LEARNED for step in taken[-3:])


def check_overfit(taken: list[Taken]) -> Finding:
    """Whether the images were learned by heart."""
    name = f"learning {IMAGES} images by heart"
    if is_learned(taken):
        return Finding(check=name, outcome="passed", sentence=f"done after {len(taken)} steps")
    last = taken[-1]
    sentence = (
        f"not done after {len(taken)} steps (loss {taken[0].loss:.2f} at first, {last.loss:.2f} at last, "
        f"{last.accuracy:.0%} right): the causes are a wrong learning rate, images that look alike, or wrong labels"
    )
    return Finding(check=name, outcome="failed", sentence=sentence)


def check_gradients(taken: list[Taken]) -> Finding:
    """Whether every step had gradients that are numbers, and not all zero."""
    norms = [step.gradient_norm for step in taken]
    wrong = [number for number, norm in enumerate(norms, 1) if not np.isfinite(norm)]
    if wrong:
        sentence = f"not finite in step {wrong[0]}: lower LR, or train with ARGS='--precision fp32'"
        return Finding(check="gradients", outcome="failed", sentence=sentence)
    if max(norms) == 0:
        return Finding(check="gradients", outcome="failed", sentence="all are zero: nothing changes the weights")
    return Finding(check="gradients", outcome="passed", sentence=f"finite in {len(norms)} steps")
