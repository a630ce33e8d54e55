"""The recipe of a run in words: each setting that was chosen for the user, and why."""

from contract.text import counted
from dataset.data_set import DataSet
from training.config import TrainConfig
from training.recipe.augmentation import AUGMENTATIONS
from training.recipe.plan import Plan


def describe(config: TrainConfig, plan: Plan, data: DataSet) -> list[str]:
    """One line for each setting of the recipe."""
    lines = [_length(config, plan, len(data.splits["train"])), _rate(config), _augmentation(config)]
    if plan.balance != "none":
        lines.append(_balance(config, plan, data))
    if config.weights not in ("none", "imagenet"):
        lines.append(_beginning(config))
    return lines


def _length(config: TrainConfig, plan: Plan, images: int) -> str:
    reason = "from random weights" if config.weights == "none" else "from trained weights"
    if config.folds:
        reason = "the same for each fold"
    elif config.steps or config.epochs:
        reason = "as asked"
    batch = "" if config.batch else f", for {images} images"
    return (
        f"{plan.steps} steps of {plan.batch} images{batch} ({counted(plan.epochs, 'epoch')}, {reason}), validated "
        f"every {'epoch' if plan.validate_every == 1 else f'{plan.validate_every} epochs'}{_end(config, plan)}"
    )


def _end(config: TrainConfig, plan: Plan) -> str:
    if config.folds:
        return f"; the best epochs of the {config.folds} folds say when the last model stops"
    return f"; stops after {plan.patience} validations without a better one" if plan.patience else ""


def _rate(config: TrainConfig) -> str:
    layers = (
        "" if config.weights == "none" or config.freeze else " for the last stage, 10 times that for the last layer"
    )
    return f"learning rate {config.peak_lr:g}{layers} ({config.optimizer}, {config.schedule})"


def _augmentation(config: TrainConfig) -> str:
    augmentation = AUGMENTATIONS[config.augment]
    return f"images changed at random ({config.augment}): {augmentation.says if augmentation else 'not at all'}"


def _balance(config: TrainConfig, plan: Plan, data: DataSet) -> str:
    counts = data.count("train").values()
    reason = f", as the largest class has {max(counts) / min(counts):.0f} times as many images as the smallest"
    done = {
        "sample": "all classes are drawn equally often, and rare ones must win by a margin",
        "adjust": "answers are corrected by the classes' shares",
    }
    return f"balance {plan.balance}: {done[plan.balance]}{reason if config.balance == 'auto' else ''}"


def _beginning(config: TrainConfig) -> str:
    return f"begins from {config.weights}" + (f", with the split of {config.split}" if config.split else "")
