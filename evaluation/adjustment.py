"""Answers to validation images in, how strongly rare classes are favoured out."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from contract import Adjustment
from evaluation.answers import Answers
from evaluation.calibration import PRIOR_WIDTH, TEMPERATURES, losses

STRENGTHS = (0.0, 2.0)


def fit_adjustment(answers: Answers, counts: Sequence[int], *, expected: float) -> Adjustment:
    """The strength of the logit adjustment at which all classes are answered best (Menon et al. 2021).

    `answers` are on images that had no part in training, `counts` the training images of each class. Chosen is the
    lowest cross-entropy over classes that count alike, together with a temperature, as both change how sure answers
    are. A few validation images of a class tell little, so the strength is held near `expected`, with a normal prior
    (`PRIOR_WIDTH`): 1, the theoretical value, for a model that learned the classes' shares, 0 for one that drew them
    equally often.
    """
    prior = np.maximum(np.array(counts, np.float64), 1) / max(1, sum(counts))
    weights = _class_weights(answers)
    observations = float(weights.sum() ** 2 / (weights**2).sum())

    def cost(values: np.ndarray) -> float:
        tau, log_t = float(values[0]), float(values[1])
        loss = losses(answers.adjusted(_adjustment(tau, prior)), float(np.exp(log_t)))
        held = (tau - expected) ** 2 + log_t**2
        return observations * float(np.average(loss, weights=weights)) + held / (2 * PRIOR_WIDTH**2)

    bounds = [STRENGTHS, tuple(np.log(TEMPERATURES))]
    found = minimize(cost, x0=np.array([expected, 0.0]), bounds=bounds, method="Nelder-Mead")
    return _adjustment(round(float(found.x[0]), 2), prior)


def _adjustment(tau: float, prior: np.ndarray) -> Adjustment:
    return Adjustment(tau=tau, prior=tuple(float(share) for share in prior))


def _class_weights(answers: Answers) -> np.ndarray:
    """Each image's weight [N]: all images of a class together weigh as much as those of any other."""
    counts = np.bincount(answers.targets, minlength=answers.logits.shape[1])
    result: np.ndarray = 1.0 / counts[answers.targets]
    return result
