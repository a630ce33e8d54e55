"""What a baseline found in, sentences for the screen and the page out."""

from typing import Any

from evaluation.probe.learning_curve import LearningCurve
from evaluation.probe.permutations import Related
from evaluation.words import describe_accuracy, p_value
from training.baseline.network import Network

SIGNIFICANT = 0.01


def describe_features(network: Network, seen: int) -> list[str]:
    """Where the features come from, and what that means for the figures."""
    told = [f"Features: {network.name}, {network.spec.size} px."]
    if not network.trained:
        told.append(
            "Random filters tell colours and textures and little else, so a trained network should do better; for the "
            "features of one that was trained on ImageNet: make weights, then make baseline again."
        )
    if seen:
        told.append(f"This network was trained on {seen} of the images or chosen by them: the figures are too high.")
    return told


def describe_scores(scores: dict[str, Any], folds: int) -> list[str]:
    """The figures of `Scores.as_dict`."""
    accuracy, means = describe_accuracy(scores)
    return [
        f"Each image is answered once, by one of {folds} linear models that has not seen its object:",
        f"{accuracy};",
        f"{means}.",
    ]


def describe_permutations(related: Related, deals: int) -> str:
    """Whether the labels have to do with the images."""
    figures = (
        f"dealt into folds in {deals} ways, the macro-F1 is {related.macro_f1:.3f} on average; permuted labels give "
        f"{related.chance:.3f}, and {related.chance_high:.3f} at their 99th percentile ({p_value(related.p_value)})"
    )
    if related.p_value > SIGNIFICANT:
        return f"Not shown that the labels have to do with the images: {figures}."
    return f"The labels can be learned: {figures}."


def describe_curve(curve: LearningCurve, related: Related) -> str:
    """What more images would give; nothing where even these are not told from chance."""
    points = ", ".join(
        f"{recall:.3f} from {images}" for recall, images in zip(curve.recalls, curve.images, strict=True)
    )
    if related.p_value > SIGNIFICANT:
        return f"Mean recall by the number of images to learn from: {points}. This tells nothing about more images."
    low, high = curve.doubled_interval
    return (
        f"Mean recall by the number of images to learn from: {points}; twice the images would give about "
        f"{curve.doubled:.2f} ({low:.2f} to {high:.2f}) with these features."
    )
