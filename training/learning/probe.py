"""A trainer whose last layer is fresh in, the same with a linear probe in its place out, before anything is tuned.

Kumar et al. 2022 (arXiv 2202.10054): a random last layer spoils trained features while it learns; one that was fitted
to them first does not.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from dataset.errors import DataError
from dataset.folds import deal_folds
from dataset.split_file import Example
from evaluation.answers import Answers
from training.learning.trainer import Trainer

# More images make the probe no better and take minutes.
MOST_IMAGES = 2000
FOLDS = 3
# Strengths of the regularisation that are tried, as scikit-learn's C.
STRENGTHS = np.logspace(-4, 1, 6)
# The logit of a class that has no training image.
UNSEEN = -10.0

Floats = NDArray[np.float64]


def start_head(trainer: Trainer) -> float:
    """Put a logistic regression on the frozen features into the last layer; returns its accuracy on validation.

    The regularisation is chosen by folds of whole objects. NaN without validation images.
    """
    chosen = sorted(trainer.data.splits["train"], key=lambda example: example.sha256)[:MOST_IMAGES]
    weight, bias = fit_probe(trainer.features(chosen), chosen, len(trainer.data.classes), balanced=_balanced(trainer))
    layer = trainer.model.backbone.fc
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    if "val" not in trainer.data.splits:
        return float("nan")
    answers: Answers = trainer.evaluate("val")
    return float((answers.answered == answers.targets).mean())


def _balanced(trainer: Trainer) -> bool:
    return trainer.plan.balance != "none"


def fit_probe(
    features: Floats, examples: Sequence[Example], classes: int, *, balanced: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight float32 [C, F] and bias float32 [C] of the last layer, from features [N, F]."""
    targets = np.array([example.target for example in examples])
    scaler = StandardScaler().fit(features)
    scaled = scaler.transform(features)
    strength = min(STRENGTHS, key=lambda strength: _held_out_loss(scaled, examples, strength, balanced=balanced))
    model = _model(strength, balanced=balanced).fit(scaled, targets)
    rows, offsets = _of_each_class(model.coef_, model.intercept_)
    weight, bias = np.zeros((classes, features.shape[1])), np.full(classes, UNSEEN)
    # Of the scaled features, so that the layer takes them as they are.
    weight[model.classes_] = rows / scaler.scale_
    bias[model.classes_] = offsets - (rows / scaler.scale_) @ scaler.mean_
    return weight.astype(np.float32), bias.astype(np.float32)


def _model(strength: float, *, balanced: bool) -> LogisticRegression:
    return LogisticRegression(C=strength, class_weight="balanced" if balanced else None, max_iter=300)


def _held_out_loss(scaled: Floats, examples: Sequence[Example], strength: float, *, balanced: bool) -> float:
    """The cross-entropy over folds of whole objects; of images whose class the other folds lack, a guess counts."""
    targets = np.array([example.target for example in examples])
    try:
        dealt = deal_folds(examples, FOLDS, seed=0)
    except DataError:
        return 0.0  # too few objects to choose by: the strongest regularisation, the first, is taken
    losses = np.full(len(targets), np.log(len(set(targets.tolist()))))
    for fold in range(FOLDS):
        learned = dealt != fold
        if len(set(targets[learned].tolist())) < 2:
            continue
        model = _model(strength, balanced=balanced).fit(scaled[learned], targets[learned])
        asked = np.flatnonzero(~learned & np.isin(targets, model.classes_))
        if len(asked):
            column = np.searchsorted(model.classes_, targets[asked])
            losses[asked] = -model.predict_log_proba(scaled[asked])[np.arange(len(asked)), column]
    weights = 1 / np.bincount(targets)[targets] if balanced else None
    return float(np.average(losses, weights=weights))


def _of_each_class(weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """A row for each class: of two classes, scikit-learn gives the second's row alone."""
    if len(weight) > 1:
        return weight, bias
    return np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
