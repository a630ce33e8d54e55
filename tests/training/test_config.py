from pathlib import Path

import pytest

from contract import UsageError
from training.config import TrainConfig


def test_every_problem_is_in_one_error() -> None:
    with pytest.raises(UsageError) as caught:
        TrainConfig(data=Path("d"), run="a b", size=8, epochs=0, freeze=True, weights="none", lr=-1.0)
    message = str(caught.value)
    assert all(
        word in message
        for word in ("run is 'a b'", "size is 8", "epochs is 0", "freeze is given but weights is none", "lr is -1")
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("weights", "freeze", "lr", "expected"),
    [
        ("none", False, None, 1e-3),
        ("imagenet", False, None, 1e-4),
        ("imagenet", True, None, 1e-3),
        ("none", False, 0.1, 0.1),
    ],
)
def test_learning_rate_fits_the_kind_of_training(weights: str, freeze: bool, lr: float | None, expected: float) -> None:
    assert TrainConfig(data=Path("d"), run="a", weights=weights, freeze=freeze, lr=lr).peak_lr == expected


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "玉米", "x" * 65, "-rf"])
def test_a_run_name_can_not_leave_its_folder(name: str) -> None:
    with pytest.raises(UsageError, match="choose one with RUN=name"):
        TrainConfig(data=Path("d"), run=name)


def test_default_image_spec_is_torchvisions() -> None:
    spec = TrainConfig(data=Path("d"), run="a").image_spec(16)
    assert (spec.size, spec.resize) == (224, 232)
