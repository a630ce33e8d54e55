import shlex
from pathlib import Path

from tests.commands import REPOSITORY
from training.command import VARIABLES, make_command
from training.config import TrainConfig


def test_the_command_holds_what_is_not_default() -> None:
    config = TrainConfig(
        data=Path("my photos/O'Brien"), run="a", arch="resnet18", freeze=True, seed=3, precision="fp32"
    )
    assert shlex.split(make_command(config)) == [
        "make", "train", "DATA=my photos/O'Brien", "RUN=a", "ARCH=resnet18", "FREEZE=1",
        "ARGS=--seed 3 --precision fp32",
    ]  # fmt: skip


def test_every_variable_is_the_makefiles() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    assert all(f"\n{name.upper()} =" in makefile for name in VARIABLES)
