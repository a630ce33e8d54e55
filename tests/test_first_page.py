"""The first page's commands, run as they stand: the two commands on the real ResNet-152, the server, each task."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from contract import Manifest
from contract.golden import read_golden
from runtime import load_model
from tests.commands import REPOSITORY
from tests.markdown import SPAN, fences, read, rows
from tests.pictures import TINTS, draw, encode, write_images
from tests.torchserve import RunningTorchServe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
README = REPOSITORY / "README.md"
PROTOCOLS = REPOSITORY / "docs" / "protocols.md"
ELSEWHERE = ("make test", "java ", "docker ", "ACCELERATOR=gpu")
"""Run by CI itself, needs a JDK, Docker, a GPU; test_documentation knows that what they name exists."""
NO_HUB = "or start from random weights, "
WITHOUT_HUB = {"make train": "WEIGHTS=none SIZE=32 EPOCHS=1", "make doctor": "WEIGHTS=none SIZE=32 ARCH=resnet18"}
"""What shortens a command that would have started from ImageNet weights."""


class Terminal:
    """A shell in a folder; a server that is started there runs until the next one is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hub = folder, True
        self.server: subprocess.Popen[str] | None = None

    def run(self, line: str) -> None:
        """Run one line, unless it needs what is not here. Where no model hub can be reached, train without."""
        if any(part in line for part in ELSEWHERE):
            return
        if line.startswith("make serve"):
            self.serve(line)
            return
        if line.startswith("make bench"):
            self.stop()
        starting = next((start for start in WITHOUT_HUB if line.startswith(start)), "")
        done = self._call(line if self.hub or not starting else f"{line} {WITHOUT_HUB[starting]}")
        if NO_HUB in done.stderr and self.hub:
            self.hub = False
            self.run(line)
            return
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert '"error"' not in done.stdout, (line, done.stdout)
        for written in re.findall(r"\bOUT=(\S+)", line):
            assert (self.folder / written).is_file()

    def _call(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def serve(self, line: str) -> None:
        """Start a server and wait until it is ready."""
        self.stop()
        self.server = subprocess.Popen(
            ["bash", "-c", line], cwd=self.folder, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.server.stdout is not None
        printed = []
        for output in self.server.stdout:
            printed.append(output)
            if output.startswith("Ready: http://127.0.0.1:5000/"):
                return
        raise AssertionError(line, printed)

    def stop(self) -> None:
        """Press Ctrl-C."""
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGINT)
            self.server.communicate(timeout=60)
            self.server = None


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """In a copy of this tree that shares its environment, with the pictures that the page names."""
    folder = tmp_path_factory.mktemp("copy")
    listed = subprocess.check_output(["git", "ls-files", "-coz", "--exclude-standard"], cwd=REPOSITORY, text=True)
    for name in listed.rstrip("\0").split("\0"):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    for number, name in enumerate(("images", "others", "pictures")):
        write_images(folder / "path" / "to" / name, 10, first_seed=10_000 * number)
    (folder / "leaf.jpg").write_bytes(encode(draw((64, 48), TINTS["red"], seed=7)))
    (folder / "ask.py").write_text(fences(read(PROTOCOLS), "python")[0])
    opened = Terminal(folder)
    yield opened
    opened.stop()
    opened.run("make torchserve-stop")


@pytest.fixture(scope="module")
def sample(terminal: Terminal) -> Path:
    """The run of the sample set, made by the commands above the table."""
    lines = [line for body in fences(read(README), "bash") for line in body.splitlines()]
    assert lines[0] == "make train export"
    for line in lines:
        terminal.run(line)
    return terminal.folder / "runs" / "sample"


def test_the_sample_model_reaches_95_percent(sample: Path) -> None:
    results = json.loads((sample / "results.json").read_text())
    assert results["test"]["accuracy"] >= 0.95


def test_the_sample_bundle_is_a_proven_resnet152(sample: Path) -> None:
    manifest = Manifest.read(sample / "bundle")
    assert manifest.architecture == "resnet152"
    assert {check["problem"] for check in manifest.parity} == {""}
    assert [entry.display_name for entry in manifest.classes] == ["普通锈病", "灰斑病", "健康", "大斑病"]
    assert load_model(sample / "bundle").golden_disagreement < 0.1


def test_the_sample_archive_answers_in_torchserve(terminal: Terminal, sample: Path, tmp_path: Path) -> None:
    terminal.run("make archive")
    running = RunningTorchServe(terminal.folder / "model_archive", "sample", tmp_path)
    classes = Manifest.read(sample / "bundle").classes
    for golden in read_golden(sample / "bundle"):
        picture = (sample / "bundle" / golden.file).read_bytes()
        answer = httpx.post(f"{running.url}/predictions/sample", files={"data": picture}, timeout=60).json()
        assert next(iter(answer)) == classes[int(golden.logits.argmax())].label
    assert running.stop() == []


@pytest.mark.usefixtures("sample")
def test_each_task_of_the_table(terminal: Terminal) -> None:
    tasks = [(cell, named[0]) for _, cell, _ in rows(read(README)) if (named := SPAN.findall(cell))]
    assert len(tasks) >= 12
    for cell, named in tasks:
        if named.startswith("http://"):
            httpx.get(named).raise_for_status()
        elif cell.startswith("open "):
            assert (terminal.folder / named).is_file()
        else:
            terminal.run(named)
