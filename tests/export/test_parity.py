from pathlib import Path

import numpy as np
import pytest

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
