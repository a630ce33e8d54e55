import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from evaluation.answers import Answers
from evaluation.intervals import share_interval, widen, widen_intervals
from evaluation.metrics import score
from tests.effort import PROVING, times

FOLDS = 5
SETS = times(150, 1000)
# Of 150 simulated sets, the share that is covered is itself uncertain by some per cent.
COVERED = (0.92, 0.98) if PROVING else (0.89, 0.995)

SIMULATED = [(100, 20, 2, 1), (300, 20, 4, 1), (300, 60, 4, 1), (120, 20, 3, 3), (240, 20, 3, 3)][: times(1, 5)]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def test_each_end_moves_away_from_the_figure() -> None:
    assert widen(0.5, (0.4, 0.6), 2) == pytest.approx((0.5 - 0.1 * 2**0.5, 0.5 + 0.1 * 2**0.5))
    assert widen(0.9, (0.8, 0.99), 8) == pytest.approx((0.9 - 0.1 * 1.25**0.5, 1.0))


def test_all_figures_of_the_models_are_widened() -> None:
    rng = np.random.default_rng(0)
    answers = Answers(logits=rng.normal(size=(60, 3)).astype(np.float32), targets=rng.integers(0, 3, 60))
    before = score(answers, ["a", "b", "c"]).as_dict()
    after = widen_intervals(before, FOLDS)
    for name in ("accuracy", "macro_f1", "balanced_accuracy", "loss", "brier"):
        (low, high), (lower, higher) = before[f"{name}_interval"], after[f"{name}_interval"]
        assert lower < low < high < higher
    assert after["per_class"][0]["recall_interval"] != before["per_class"][0]["recall_interval"]
    assert after["majority_interval"] == before["majority_interval"]
    assert {name for name in after if after[name] == before[name]} >= {"accuracy", "confusion", "images"}


def gaussian(rng: np.random.Generator, means: Floats, images: int, of_an_object: int) -> tuple[Floats, Ints, Ints]:
    """Features, classes and objects; images of one object share part of their features."""
    objects = np.repeat(np.arange(images // of_an_object), of_an_object)
    targets = rng.integers(0, len(means), images // of_an_object)[objects]
    shared = rng.normal(size=(images // of_an_object, means.shape[1]))[objects]
    own = rng.normal(size=(len(objects), means.shape[1]))
    weight = 0.8 if of_an_object > 1 else 0.0
    return means[targets] + weight * shared + np.sqrt(1 - weight**2) * own, targets, objects


def model() -> LinearDiscriminantAnalysis:
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)


@pytest.mark.proof
@pytest.mark.parametrize(("images", "features", "classes", "of_an_object"), SIMULATED)
def test_the_interval_covers_the_true_accuracy(images: int, features: int, classes: int, of_an_object: int) -> None:
    """The true accuracy is that of a model that learned from as many images as each fold's, on 20,000 new images."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(classes, features)) * 2 / np.sqrt(features)
    new_features, new_targets, _ = gaussian(rng, means, 20_000, 1)
    intervals, true = [], []
    for _ in range(SETS):
        table, targets, objects = gaussian(rng, means, images, of_an_object)
        folds = rng.permutation(int(objects.max()) + 1)[objects] % FOLDS
        certain = np.zeros((len(targets), classes), np.float32)
        for fold in range(FOLDS):
            fitted = model().fit(table[folds != fold], targets[folds != fold])
            certain[folds == fold] = np.eye(classes)[fitted.predict(table[folds == fold])]
        true.append(float((fitted.predict(new_features) == new_targets).mean()))
        answers = Answers(logits=certain, targets=targets, clusters=objects)
        scores = accuracy_of(answers)
        intervals.append(widen_intervals(scores, FOLDS)["accuracy_interval"])
    expected = float(np.mean(true))
    share = float(np.mean([low <= expected <= high for low, high in intervals]))
    assert COVERED[0] <= share <= COVERED[1]


def accuracy_of(answers: Answers) -> dict[str, object]:
    """Only what is tested: all figures would take a second a set."""
    hits = answers.answered == answers.targets
    return {"accuracy": float(hits.mean()), "accuracy_interval": share_interval(hits, answers.clusters)}
