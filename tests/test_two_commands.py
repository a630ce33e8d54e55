"""What `make train export` left in runs/sample: the README's first promise, checked on the real ResNet-152."""

import json
import subprocess

import pytest

from contract import Manifest
from runtime import load_model
from tests.commands import REPOSITORY, RunningServer

pytestmark = pytest.mark.slow
RUN = REPOSITORY / "runs" / "sample"


@pytest.fixture(scope="module", autouse=True)
def made() -> None:
    """Train and export the sample set, unless that has been done."""
    subprocess.run(["make", "train", "export"], cwd=REPOSITORY, check=True)


def test_the_sample_model_reaches_95_percent() -> None:
    results = json.loads((RUN / "results.json").read_text())
    assert results["test"]["accuracy"] >= 0.95


def test_the_sample_bundle_is_a_proven_resnet152() -> None:
    manifest = Manifest.read(RUN / "bundle")
    assert manifest.architecture == "resnet152"
    assert {check["problem"] for check in manifest.parity} == {""}
    assert [entry.display_name for entry in manifest.classes] == ["普通锈病", "灰斑病", "健康", "大斑病"]
    assert load_model(RUN / "bundle").golden_disagreement < 0.1


def test_the_sample_model_serves() -> None:
    running = RunningServer(RUN / "bundle")
    assert running.stop() == (0, "")
