import numpy as np
import pytest

from evaluation.answers import Answers
from evaluation.curves import class_curves, reliability, risk_coverage
from tests.evaluation.test_calibration import honest_answers


def binary(probabilities: list[float], targets: list[int]) -> Answers:
    """Answers of two classes, where class 1 has these probabilities."""
    second = np.array(probabilities)
    return Answers(logits=np.log(np.stack([1 - second, second], axis=1)).astype(np.float32), targets=np.array(targets))


def test_curves_of_a_class_that_is_told_apart_reach_one() -> None:
    _, curve = class_curves(binary([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]), ["a", "b"])
    assert (curve.label, curve.images, curve.auc, curve.average_precision) == ("b", 2, 1.0, 1.0)


def test_curves_of_one_exchanged_pair() -> None:
    _, curve = class_curves(binary([0.1, 0.7, 0.6, 0.9], [0, 0, 1, 1]), ["a", "b"])
    assert curve.auc == 0.75
    assert curve.average_precision == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert (curve.recall[0], curve.recall[-1]) == (0, 1)
    assert (curve.false_positive_rate[-1], curve.true_positive_rate[-1]) == (1, 1)


def test_a_class_without_images_has_no_curve() -> None:
    assert [curve.label for curve in class_curves(honest_answers(50), ["a", "b", "c", "never"][:3])] == ["a", "b", "c"]
    assert class_curves(binary([0.1, 0.2], [0, 0]), ["a", "b"]) == []


def test_curves_are_bounded() -> None:
    curve = class_curves(honest_answers(5000), ["a", "b", "c"])[0]
    assert len(curve.recall) == len(curve.precision) <= 200
    assert len(curve.false_positive_rate) == len(curve.true_positive_rate) <= 200


def test_reliability_of_honest_probabilities_lies_on_the_diagonal() -> None:
    bins = reliability(honest_answers(5000))
    assert sum(entry.images for entry in bins) == 5000
    assert all(abs(entry.accuracy - entry.confidence) < 0.1 for entry in bins if entry.images > 100)


def test_risk_falls_with_coverage_where_confidence_tells_something() -> None:
    points = risk_coverage(honest_answers(2000))
    assert (points[0].threshold, points[0].coverage) == (0.0, 1.0)
    assert [point.coverage for point in points] == sorted((point.coverage for point in points), reverse=True)
    assert points[-1].error < points[0].error / 3
    assert all(point.error < point.error_high for point in points)
    assert len(points) <= 20


def test_risk_of_answers_that_are_all_as_confident_is_one_point() -> None:
    (point,) = risk_coverage(binary([0.9] * 10, [1] * 8 + [0] * 2))
    assert point.answered == 10
    assert point.error == pytest.approx(0.2)
