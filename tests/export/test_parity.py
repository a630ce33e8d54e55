from pathlib import Path

import numpy as np
import pytest

from contract import Adjustment
from dataset.split_file import Example
from export.parity import describe_flips
from export.validation import Validation


@pytest.mark.parametrize(
    ("recorded", "found", "flips"),
    [
        ([2.0, 1.0], [2.0, 1.0], []),
        ([2.0, 1.0], [1.0, 2.0], ["leaf.jpg (margin 1)"]),
        ([2.0001, 2.0], [2.0, 2.0001], []),
    ],
    ids=["same", "flip", "tie"],
)
def test_a_flip_is_named_with_its_lead_and_a_tie_is_none(
    recorded: list[float], found: list[float], flips: list[str]
) -> None:
    validation = Validation(
        examples=[Example(path=Path("leaf.jpg"), target=0)],
        labels=["a", "b"],
        logits=np.array([recorded], np.float32),
        targets=np.array([0]),
    )
    assert describe_flips(np.array([found], np.float32), validation) == flips


def test_a_flip_is_one_of_what_is_served() -> None:
    rare = Adjustment(tau=1.0, prior=(0.9, 0.1))
    validation = Validation(
        examples=[Example(path=Path("leaf.jpg"), target=0)],
        labels=["a", "b"],
        logits=np.array([[2.0, 0.0]], np.float32),
        targets=np.array([0]),
        adjustment=rare,
    )
    # The logits still favour a; with log(9) taken off, the first answer is b and the second a.
    assert describe_flips(np.array([[2.0, 0.0]], np.float32), validation) == []
    assert describe_flips(np.array([[2.5, 0.0]], np.float32), validation) == ["leaf.jpg (margin 0.197)"]
