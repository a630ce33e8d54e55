import numpy as np
import pytest

from contract import UsageError
from dataset.errors import DataError
from evaluation.answers import Answers
from evaluation.curves import risk_coverage
from evaluation.thresholds import (
    RecallTarget,
    choose_threshold,
    measure_threshold,
    read_recall_target,
    unsure_below,
)
from tests.evaluation.test_calibration import honest_answers
from tests.evaluation.test_curves import binary

ILL = RecallTarget(index=1, label="ill", recall=0.95)


def test_a_target_is_a_class_and_a_recall() -> None:
    assert read_recall_target("ill:0.95", ["well", "ill"]) == ILL
    assert read_recall_target("a:b:1", ["well", "a:b"]) == RecallTarget(index=1, label="a:b", recall=1)


@pytest.mark.parametrize("text", ["", "ill", "ill:", "ill:x", "ill:0", "ill:1.1", "ill:nan", "ill:-1", "0.95"])
def test_a_malformed_target_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not valid; expected a class, a colon and a recall"):
        read_recall_target(text, ["well", "ill"])


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(UsageError, match=r"RECALL=I:0.9 names no class of the model; expected one of: well, ill$"):
        read_recall_target("I:0.9", ["well", "ill"])
    with pytest.raises(UsageError, match=r"8, 9, …$"):
        read_recall_target("I:0.9", [str(index) for index in range(1000)])


def test_the_threshold_is_the_highest_that_reaches_the_recall() -> None:
    """19 of 20 are needed: the second lowest of the class."""
    probabilities = [0.01 * step for step in range(1, 21)] + [0.5 + 0.01 * step for step in range(20)]
    answers = binary(probabilities, [0] * 20 + [1] * 20)
    threshold = choose_threshold(answers, ILL)
    point = measure_threshold(answers, ILL, threshold)
    assert threshold == pytest.approx(0.51, abs=0.002)
    assert (point.recall, point.images, point.reported, point.precision) == (0.95, 20, 19, 1.0)
    assert (point.false_alarms, point.false_alarm_rate) == (0, 0.0)
    assert point.recall_interval[0] < 0.8
    assert point.false_alarm_interval[1] > 0.1


@pytest.mark.parametrize("recall", [0.5, 0.9, 0.95, 1.0])
def test_the_recall_is_always_reached_on_the_images_that_chose_it(recall: float) -> None:
    answers, target = honest_answers(300), RecallTarget(index=2, label="c", recall=recall)
    point = measure_threshold(answers, target, choose_threshold(answers, target))
    assert recall <= point.recall < recall + 0.02
    assert point.precision_interval[0] < point.precision < point.precision_interval[1]


def test_views_of_one_object_widen_the_intervals() -> None:
    answers = honest_answers(300)
    objects = Answers(logits=answers.logits, targets=answers.targets, clusters=np.arange(300) // 10)
    widths = [np.diff(measure_threshold(each, ILL, 0.3).recall_interval)[0] for each in (answers, objects)]
    assert widths[1] > widths[0]


def test_a_class_without_images_has_no_threshold() -> None:
    with pytest.raises(DataError, match="there is no image of class ill"):
        choose_threshold(binary([0.2, 0.3], [0, 0]), ILL)


def test_a_recall_that_only_reporting_everything_reaches_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"a recall of 0.95 of class ill is only reached by reporting every image as it"
    ):
        choose_threshold(binary([0.5] * 6, [0, 1] * 3), ILL)


def test_unsure_below_halves_the_error() -> None:
    points = risk_coverage(honest_answers(2000))
    proposed = unsure_below(points)
    assert proposed
    assert 0 < proposed.threshold < 1
    assert proposed.error_high <= points[0].error / 2
    assert all(point.error_high > points[0].error / 2 for point in points if point.threshold < proposed.threshold)


def test_nothing_is_proposed_where_confidence_tells_nothing() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(0.5, 1, 500)
    assert unsure_below(risk_coverage(binary(list(probabilities), list(rng.integers(0, 2, 500))))) is None


@pytest.mark.parametrize("images", [10, 30])
def test_nothing_is_proposed_from_few_images(images: int) -> None:
    assert unsure_below(risk_coverage(honest_answers(images))) is None


def test_nothing_is_proposed_where_all_is_right() -> None:
    assert unsure_below(risk_coverage(binary([0.9, 0.8, 0.1], [1, 1, 0]))) is None
