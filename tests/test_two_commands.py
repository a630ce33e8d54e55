"""What `make train export archive` left: the README's first promise, checked on the real ResNet-152."""

import json
import subprocess
from pathlib import Path

import httpx
import pytest

from contract import Manifest
from contract.golden import read_golden
from runtime import load_model
from tests.commands import REPOSITORY, RunningServer
from tests.torchserve import RunningTorchServe

pytestmark = pytest.mark.slow
RUN = REPOSITORY / "runs" / "sample"


@pytest.fixture(scope="module", autouse=True)
def made() -> None:
    """Train, export and pack the sample set; what has been trained is not trained again."""
    subprocess.run(["make", "train", "export", "archive"], cwd=REPOSITORY, check=True)


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


def test_the_sample_archive_answers_in_torchserve(tmp_path: Path) -> None:
    running = RunningTorchServe(REPOSITORY / "model_archive", "sample", tmp_path)
    classes = Manifest.read(RUN / "bundle").classes
    for golden in read_golden(RUN / "bundle"):
        picture = (RUN / "bundle" / golden.file).read_bytes()
        answer = httpx.post(f"{running.url}/predictions/sample", files={"data": picture}, timeout=60).json()
        assert next(iter(answer)) == classes[int(golden.logits.argmax())].label
    assert running.stop() == []
