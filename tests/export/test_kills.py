"""Export killed at any moment."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contract import Manifest
from runtime import load_model
from tests.commands import REPOSITORY
from tests.effort import times

pytestmark = [pytest.mark.slow, pytest.mark.proof, pytest.mark.timeout(3600)]
KILLS = times(2, 40)


def start(run: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "export", "--run", run.name, "--runs", str(run.parent)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)


def test_an_export_killed_at_any_moment_leaves_a_whole_bundle(bundle: Path, tmp_path: Path) -> None:
    """The old one or the new one; the next export clears away what was left."""
    run = shutil.copytree(bundle.parent, tmp_path / "tiny")
    began, process = time.monotonic(), start(run)
    assert process.wait(timeout=240) == 0
    lasted = time.monotonic() - began
    for kill in range(KILLS):
        process = start(run)
        try:
            process.wait(timeout=lasted * (0.4 + 0.6 * (kill + 0.5) / KILLS))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert load_model(run / "bundle").golden_disagreement < 0.1
    assert start(run).wait(timeout=240) == 0
    assert [path.name for path in run.iterdir() if path.name.startswith(".bundle-")] == []
    assert Manifest.read(run / "bundle").version == Manifest.read(bundle).version
