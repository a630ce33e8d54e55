import numpy as np

from contract import ClassLabel, top_k

CLASSES = tuple(ClassLabel(label=name, display_name=name.upper()) for name in "abc")


def test_top_k_names_the_best_first() -> None:
    answer = top_k(np.array([0.2, 0.5, 0.3], np.float32), CLASSES, 2)
    assert [(entry.index, entry.label, entry.display_name) for entry in answer] == [
        (1, "b", "B"),
        (2, "c", "C"),
    ]
    assert answer[0].probability == 0.5


def test_top_k_gives_all_when_there_are_fewer() -> None:
    assert len(top_k(np.array([0.2, 0.5, 0.3], np.float32), CLASSES, 9)) == 3


def test_top_k_keeps_class_order_among_equals() -> None:
    assert [entry.label for entry in top_k(np.full(3, 1 / 3, np.float32), CLASSES, 3)] == ["a", "b", "c"]
