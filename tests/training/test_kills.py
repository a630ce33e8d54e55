"""Training killed at any moment, and training with any seed."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.commands import REPOSITORY
from tests.effort import times
from tests.training.test_train import arguments, same_weights
from training.config import TrainConfig
from training.train import train

pytestmark = [pytest.mark.slow, pytest.mark.proof, pytest.mark.timeout(3600)]
KILLS = times(2, 20)
# As `python -m training`, with a checkpoint after every step: kills fall between, and into, all of them.
COMMAND = """
import sys, training.learning.fit
training.learning.fit.SAVE_EVERY = 0
from contract.console import run_command
from training.__main__ import main
sys.argv = sys.argv[1:]
run_command(main)
"""


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """A run that nothing interrupted."""
    runs = tmp_path_factory.mktemp("runs")
    config = TrainConfig(
        data=images, run="whole", runs=runs, arch="resnet18", weights="none", size=32, epochs=3, batch=8
    )
    train(config)
    return config


def start(config: TrainConfig) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", COMMAND, *arguments(config, "--workers", str(config.workers))]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_killed_at_any_moment_continues_to_the_same_bits(whole: TrainConfig, workers: int) -> None:
    """The moments are spread evenly over the time that a whole training takes, from its first written file."""
    timed = replace(whole, run=f"timed-{workers}", workers=workers)
    began, process = time.monotonic(), start(timed)
    assert process.wait(timeout=120) == 0
    lasted = time.monotonic() - began
    for kill in range(KILLS):
        config = replace(whole, run=f"killed-{workers}-{kill}", workers=workers)
        process = start(config)
        try:
            process.wait(timeout=lasted * (0.4 + 0.6 * (kill + 0.5) / KILLS))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        saved = (config.folder / "checkpoints" / "last.pt").exists()
        train(replace(config, resume=saved))
        assert same_weights(config.folder, whole.folder), kill


@pytest.mark.parametrize("seed", range(1, 1 + times(1, 20)))
def test_every_seed_learns(seed: int, images: Path, tmp_path: Path) -> None:
    config = TrainConfig(
        data=images, run="r", runs=tmp_path, arch="resnet18", weights="none", size=32, epochs=10, batch=8, seed=seed
    )
    train(config)
    results = json.loads((config.folder / "results.json").read_text())
    assert results["test"]["accuracy"] >= 0.8
