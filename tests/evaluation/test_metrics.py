import json
import time

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from evaluation.answers import Answers
from evaluation.metrics import score, score_epoch, top_confusions
from tests.evaluation.simulated import Population, answers_of


def evaluation(answers: list[int], targets: list[int], confidence: float = 5.0) -> Answers:
    logits = np.eye(3, dtype=np.float32)[answers] * confidence
    return Answers(logits=logits, targets=np.array(targets))


def test_score_counts_each_class() -> None:
    scores = score(evaluation([0, 0, 1, 1, 2], [0, 0, 1, 2, 2]), ["a", "b", "c"])
    assert scores.accuracy == 0.8
    assert scores.confusion == [[2, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert [(row.label, row.images, row.answered, row.precision, row.recall) for row in scores.per_class] == [
        ("a", 2, 2, 1.0, 1.0), ("b", 1, 2, 0.5, 1.0), ("c", 2, 1, 1.0, 0.5)
    ]  # fmt: skip
    assert [row.specificity for row in scores.per_class] == [1.0, 0.75, 1.0]
    assert scores.macro_f1 == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert scores.balanced_accuracy == pytest.approx(2.5 / 3)


def test_means_are_those_of_scikit_learn() -> None:
    drawn = Population(shares=(0.6, 0.3, 0.1), recall=(0.9, 0.7, 0.4)).draw(300, np.random.default_rng(0))
    scores = score(drawn, ["a", "b", "c"])
    assert scores.macro_f1 == pytest.approx(f1_score(drawn.targets, drawn.answered, average="macro"))
    assert scores.balanced_accuracy == pytest.approx(balanced_accuracy_score(drawn.targets, drawn.answered))
    assert score_epoch(drawn).macro_f1 == pytest.approx(scores.macro_f1)
    assert score_epoch(drawn).accuracy == scores.accuracy
    assert score_epoch(drawn).loss == pytest.approx(scores.loss)


def test_every_figure_lies_in_its_interval() -> None:
    scores = score(Population(shares=(0.5, 0.5), recall=(0.9, 0.7)).draw(100, np.random.default_rng(1)), ["a", "b"])
    figures = scores.as_dict()
    for name in ("accuracy", "majority", "macro_f1", "balanced_accuracy", "loss", "brier"):
        low, high = figures[f"{name}_interval"]
        assert low < figures[name] < high


def test_the_majority_is_that_of_the_training_images() -> None:
    answers = evaluation([0, 0, 1, 1, 2], [0, 0, 0, 1, 2])
    assert (score(answers, ["a", "b", "c"]).majority_label, score(answers, ["a", "b", "c"]).majority) == ("a", 0.6)
    assert score(answers, ["a", "b", "c"], majority=2).majority == 0.2


def test_what_is_all_right_is_not_certain() -> None:
    scores = score(evaluation([0, 1, 2] * 10, [0, 1, 2] * 10), ["a", "b", "c"])
    assert scores.macro_f1_interval == pytest.approx(scores.accuracy_interval)
    assert scores.balanced_accuracy_interval == pytest.approx(scores.accuracy_interval)
    assert scores.accuracy_interval[0] == pytest.approx(0.8865, abs=1e-4)


def test_a_rare_class_makes_balanced_accuracy_uncertain() -> None:
    targets = np.repeat([0, 1], [500, 8])
    scores = score(answers_of(targets, targets, classes=2), ["a", "b"])
    assert scores.accuracy_interval[0] > 0.99
    assert scores.balanced_accuracy_interval[0] < 0.9
    assert scores.macro_f1_interval[0] < 0.9


def test_classes_without_images_are_left_out_of_the_means() -> None:
    scores = score(evaluation([0, 0, 1], [0, 0, 1]), ["a", "b", "c"])
    assert (scores.macro_f1, scores.balanced_accuracy) == (1.0, 1.0)
    assert scores.per_class[2].recall_interval == (0.0, 1.0)


def test_views_of_one_object_widen_every_interval() -> None:
    population = Population(shares=(0.5, 0.5), recall=(0.8, 0.8), views=5, likeness=1)
    drawn = population.draw(300, np.random.default_rng(0))
    alone = Answers(logits=drawn.logits, targets=drawn.targets)
    together, apart = score(drawn, ["a", "b"]).as_dict(), score(alone, ["a", "b"]).as_dict()
    assert (together["clusters"], apart["clusters"]) == (60, 300)
    for name in ("accuracy", "macro_f1", "balanced_accuracy", "loss", "brier"):
        wide, narrow = (np.diff(figures[f"{name}_interval"])[0] for figures in (together, apart))
        assert wide > 1.7 * narrow


def test_figures_are_plain_json() -> None:
    figures = score(evaluation([0, 1], [0, 1]), ["a", "b", "c"]).as_dict()
    assert json.loads(json.dumps(figures))["calibration_error"] is None


def test_as_many_logits_targets_and_clusters_are_needed() -> None:
    with pytest.raises(ValueError, match="3 logits, 2 targets and 2 clusters; expected as many"):
        Answers(logits=np.zeros((3, 2), np.float32), targets=np.array([0, 1]))


@pytest.mark.parametrize(("images", "classes"), [(20_000, 4), (2000, 1000)])
def test_large_sets_are_scored_in_seconds(images: int, classes: int) -> None:
    targets, rng = np.arange(images) % classes, np.random.default_rng(0)
    answered = np.where(rng.random(images) < 0.8, targets, rng.integers(0, classes, images))
    started = time.process_time()
    score(answers_of(answered, targets, classes=classes), [str(index) for index in range(classes)])
    assert time.process_time() - started < 10


def test_top_confusions_come_first() -> None:
    found = top_confusions([[5, 3, 0], [0, 4, 0], [1, 0, 9]], ["a", "b", "c"], most=5)
    assert [(row.true, row.answered, row.images, row.share) for row in found] == [
        ("a", "b", 3, 0.375), ("c", "a", 1, 0.1)
    ]  # fmt: skip
    assert len(top_confusions([[5, 3, 0], [0, 4, 0], [1, 0, 9]], ["a", "b", "c"], most=1)) == 1
