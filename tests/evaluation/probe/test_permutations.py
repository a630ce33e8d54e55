import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, f1_score

from dataset.split_file import Example
from evaluation.probe.figures import macro_f1, mean_recall
from evaluation.probe.out_of_fold import Probe
from evaluation.probe.permutations import Related, relate
from tests.evaluation.probe.featured import examples


def related(features: NDArray[np.float64], labelled: list[Example]) -> Related:
    return relate([Probe(features, labelled, 5, seed=0)])


def test_labels_that_follow_the_features_are_related() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 90)
    features = rng.normal(size=(90, 40)) + 2 * np.eye(3, 40)[targets]
    found = related(features, examples(targets.tolist()))
    assert found.p_value < 0.01
    assert found.macro_f1 > 0.6 > 0.4 > found.chance


def test_shuffled_labels_are_not_however_many_features_there_are() -> None:
    rng = np.random.default_rng(1)
    found = related(rng.normal(size=(80, 500)), examples(rng.integers(0, 2, 80).tolist()))
    assert found.p_value > 0.05


def test_objects_with_many_images_are_no_evidence_of_their_own() -> None:
    """Every object looks like itself, and its label is a coin's: taken for independent, the images would tell it."""
    rng = np.random.default_rng(2)
    objects = rng.normal(size=(20, 30))
    features = np.repeat(objects, 6, axis=0) + 0.01 * rng.normal(size=(120, 30))
    targets = np.repeat(rng.integers(0, 2, 20), 6).tolist()
    assert related(features, examples(targets)).p_value < 0.01
    assert related(features, examples(targets, of_an_object=6)).p_value > 0.05


def test_rare_classes_count_like_the_others() -> None:
    """From noise, always answering the common class would have the same mean recall, and half the macro-F1 at most."""
    rng = np.random.default_rng(3)
    targets = np.array([0] * 90 + [1] * 10)
    noise = [Probe(rng.normal(size=(100, 20)), examples(targets.tolist()), 5, seed=0) for _ in range(20)]
    answered = [probe.scores(targets).argmax(axis=1) for probe in noise]
    assert np.mean([mean_recall(targets, each, 2) for each in answered]) == pytest.approx(0.5, abs=0.06)
    assert np.mean([each.mean() for each in answered]) > 0.25


def test_the_figures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    targets, answered = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    assert macro_f1(targets, answered, 4) == pytest.approx(f1_score(targets, answered, average="macro"))
    assert mean_recall(targets, answered, 4) == pytest.approx(balanced_accuracy_score(targets, answered))
