"""Images and labels in, whether the one says anything about the other out: out of fold, against permuted labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dataset.errors import DataError
from dataset.seen import images_seen
from dataset.split_file import Example
from evaluation.probe.out_of_fold import Probe
from evaluation.probe.permutations import relate
from training.doctor.finding import Finding
from training.learning.features import describe_images
from training.learning.trainer import Trainer, build_trainer

MOST_IMAGES = 1000
FOLDS = 5
SIGNIFICANT = 0.01
# So much of the way from chance to perfect is little, for features that were never trained on these images.
WEAK = 0.25


def check_labels(trainer: Trainer) -> Finding:
    """Whether a linear model on frozen features answers better than on permuted labels."""
    images = [example for split in ("train", "val") for example in trainer.data.splits.get(split, [])]
    chosen = sorted(images, key=lambda example: example.sha256)[:MOST_IMAGES]
    asked, trained = _network(trainer, chosen)
    try:
        features = describe_images(asked.model, asked.held_out.of(chosen), asked.step.device)
        found = relate([Probe(features, chosen, FOLDS, seed=0)])
    except DataError as error:
        return Finding(check="labels", outcome="weak", sentence=f"they can't be tested: {error}")
    figures = (
        f"{trained} give a macro-F1 of {found.macro_f1:.2f} on {len(chosen)} images, each held out once; "
        f"permuted labels give {found.chance:.2f} (p = {found.p_value:.3f})"
    )
    if found.p_value > SIGNIFICANT:
        cause = "Were they shuffled, or does the folder not match the table?"
        return Finding(
            check="labels", outcome="failed", sentence=f"nothing ties them to the images: {figures}. {cause}"
        )
    if found.macro_f1 - found.chance < WEAK * (1 - found.chance):
        return Finding(check="labels", outcome="weak", sentence=f"they can be learned, but not easily: {figures}")
    return Finding(check="labels", outcome="passed", sentence=f"they can be learned: {figures}")


def _network(trainer: Trainer, examples: Sequence[Example]) -> tuple[Trainer, str]:
    """Whose features are asked, in words too: never those of weights that have learned these very labels."""
    seen = images_seen(Path(trainer.config.weights).parent.parent)
    learned = sum(seen.get(example.sha256) in ("train", "val") for example in examples)
    if trainer.config.weights == "none":
        return trainer, "features of a network that was never trained"
    if not learned:
        return trainer, "trained features"
    untrained = build_trainer(replace(trainer.config, weights="none", freeze=False), trainer.data, fresh=True)
    return untrained, f"features of a network that was never trained (WEIGHTS has learned {learned} of these labels)"
