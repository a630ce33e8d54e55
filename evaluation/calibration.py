"""Answers in, honest probabilities out: temperature, adjustment for rare classes, distance from the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from contract import Adjustment
from evaluation.answers import Answers
from evaluation.intervals import SEED

TEMPERATURES = (0.2, 10.0)
# Before the first image, T is held for about 1: between 0.37 and 2.7 with a probability of 95 %. 40 images that are
# all answered right then no longer ask for certainty without end, and 1,000 images outweigh the prior.
PRIOR_WIDTH = 0.5
# Below 0, what a loss with margins favours too much is taken back.
STRENGTHS = (-1.0, 2.0)
CALIBRATION_BINS = 15
# Below, even perfectly honest probabilities show a calibration error of several per cent.
FEWEST_IMAGES = 500
NULL_DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class CalibrationError:
    """Guo et al.s error, and what perfectly honest probabilities show on the same images: mean, and 95 % quantile."""

    error: float
    if_honest: float
    if_honest_high: float


def losses(answers: Answers, temperature: float = 1.0) -> NDArray[np.float64]:
    """Each image's negative log-likelihood of its true class, float64 [N], in nats."""
    logs = answers.log_probabilities(temperature)
    result: NDArray[np.float64] = -logs[np.arange(len(answers.targets)), answers.targets]
    return result


def cross_entropy(answers: Answers, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the true classes, in nats."""
    return float(losses(answers, temperature).mean())


def brier_scores(answers: Answers, temperature: float = 1.0) -> NDArray[np.float64]:
    """Each image's squared distance of the probabilities from the truth, float64 [N], 0 to 2 (Brier 1950)."""
    probabilities = np.exp(answers.log_probabilities(temperature))
    true = probabilities[np.arange(len(answers.targets)), answers.targets]
    result: NDArray[np.float64] = (probabilities**2).sum(axis=1) - 2 * true + 1
    return result


def fit_temperature(answers: Answers) -> float:
    """The temperature that makes probabilities honest on these images (Guo et al. 2017, arXiv 1706.04599).

    The most probable one, with a normal prior on log T around 0 (`PRIOR_WIDTH`) and each cluster as one observation.
    """
    observations = int(answers.clusters.max()) + 1

    def cost(log_t: float) -> float:
        return observations * cross_entropy(answers, float(np.exp(log_t))) + log_t**2 / (2 * PRIOR_WIDTH**2)

    low, high = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(cost, bounds=(low, high), method="bounded").x))


def fit_adjustment(answers: Answers, counts: Sequence[int], *, expected: float, evenness: float = 1.0) -> Adjustment:
    """The strength of the logit adjustment at which all classes are answered best (Menon et al. 2021).

    `answers` are on images that had no part in training, `counts` the training images of each class. Chosen is the
    lowest cross-entropy, together with a temperature, as both change how sure answers are. With `evenness` 1 classes
    count alike, with 0 images do; between, a class counts as its images to the power of 1 - `evenness`. A few
    validation images of a class tell little, so the strength is held near `expected`, with a normal prior
    (`PRIOR_WIDTH`): 1, the theoretical value, for a model that learned the classes' shares, less for one that drew
    them equally often.
    """
    prior = np.maximum(np.array(counts, np.float64), 1) / max(1, sum(counts))
    answers, present = _among_present(answers)
    weights = _class_weights(answers) ** evenness
    observations = float(weights.sum() ** 2 / (weights**2).sum())

    def cost(values: np.ndarray) -> float:
        tau, log_t = float(values[0]), float(values[1])
        loss = losses(answers.adjusted(_adjustment(tau, prior[present])), float(np.exp(log_t)))
        held = (tau - expected) ** 2 + log_t**2
        return observations * float(np.average(loss, weights=weights)) + held / (2 * PRIOR_WIDTH**2)

    bounds = [STRENGTHS, tuple(np.log(TEMPERATURES))]
    found = minimize(cost, x0=np.array([expected, 0.0]), bounds=bounds, method="Nelder-Mead")
    return _adjustment(round(float(found.x[0]), 2), prior)


def _adjustment(tau: float, prior: np.ndarray) -> Adjustment:
    return Adjustment(tau=tau, prior=tuple(float(share) for share in prior))


def _among_present(answers: Answers) -> tuple[Answers, NDArray[np.int64]]:
    """The answers among the classes that have images here, and which these are.

    A class without any would only ever be answered wrongly, and its images, when they come, not at all.
    """
    present, targets = np.unique(answers.targets, return_inverse=True)
    return replace(answers, logits=answers.logits[:, present], targets=targets.astype(np.int64)), present


def _class_weights(answers: Answers) -> np.ndarray:
    """Each image's weight [N]: all images of a class together weigh as much as those of any other."""
    counts = np.bincount(answers.targets, minlength=answers.logits.shape[1])
    result: np.ndarray = 1.0 / counts[answers.targets]
    return result


def expected_calibration_error(answers: Answers, temperature: float = 1.0) -> float:
    """Mean distance between confidence and accuracy over 15 equal bins (Guo et al. 2017)."""
    return _binned_error(answers.confidences(temperature), answers.answered == answers.targets)


def calibration_error(answers: Answers, temperature: float = 1.0) -> CalibrationError | None:
    """The calibration error beside its value for perfectly honest probabilities; None below 500 images.

    Honest: each image is right with the probability of its confidence (the consistency resampling of Bröcker and
    Smith 2007, Weather and Forecasting 22, 651-661). The seed is fixed.
    """
    if len(answers.targets) < FEWEST_IMAGES:
        return None
    confidences, rng = answers.confidences(temperature), np.random.default_rng(SEED)
    null = [_binned_error(confidences, rng.random(len(confidences)) < confidences) for _ in range(NULL_DRAWS)]
    return CalibrationError(
        error=expected_calibration_error(answers, temperature),
        if_honest=float(np.mean(null)),
        if_honest_high=float(np.quantile(null, 0.95)),
    )


def _binned_error(confidences: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    gaps = np.bincount(confidence_bins(confidences), weights=correct - confidences)
    return float(np.abs(gaps).sum() / len(confidences))


def confidence_bins(confidences: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each confidence, int64 [N], 0 to 14."""
    return np.minimum((confidences * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
