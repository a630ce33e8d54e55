from evaluation.words import describe_accuracy, listed
from tests.evaluation.test_verdicts import scores


def test_accuracy_stands_beside_chance() -> None:
    first, second = describe_accuracy(scores(190, 200))
    assert (
        first == "accuracy 0.950 on 200 images (95 % confidence interval 0.910 to 0.973); always answering ill: 0.500"
    )
    assert second.startswith("macro-F1 0.950 (0.9")
    assert second.endswith("weakest class ill with recall 0.950")
    assert "balanced accuracy 0.950 (0.910 to 0.973)" in second


def test_what_is_not_better_than_chance_is_said() -> None:
    assert describe_accuracy(scores(104, 200))[0].endswith("; not shown to be better than that")


def test_no_class_is_weakest_where_all_is_right() -> None:
    assert "weakest" not in describe_accuracy(scores(200, 200))[1]


def test_a_class_without_images_is_not_the_weakest() -> None:
    figures = scores(199, 200)
    figures["per_class"].append({"label": "none", "images": 0, "recall": 0.0})
    assert "none" not in describe_accuracy(figures)[1]


def test_figures_of_an_older_program_give_what_they_have() -> None:
    per_class = [{"label": "a", "images": 25, "recall": 0.8}]
    old = {"accuracy": 0.9, "accuracy_interval": [0.8, 0.95], "images": 50, "macro_f1": 0.85, "per_class": per_class}
    assert describe_accuracy(old) == [
        "accuracy 0.900 on 50 images (95 % confidence interval 0.800 to 0.950)",
        "macro-F1 0.850, weakest class a with recall 0.800",
    ]


def test_long_lists_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(index) for index in range(7)]) == "0, 1, 2, 3, 4 and 2 more"
