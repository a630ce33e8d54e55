"""Make's own part: what a shell would do to paths and names on their way, and what a machine may lack."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import REPOSITORY
from tests.pictures import write_images


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, with the environment that runs these tests taken as installed."""
    command = ["make", "STAMP=", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_images(tmp_path / 'my "photos" of O\'Brien', 4)


def test_paths_may_hold_spaces_and_quotes(data: Path, tmp_path: Path) -> None:
    page = tmp_path / 'a "page" of O\'Brien.html'
    names = tmp_path / "O'Brien's names.json"
    names.write_text(json.dumps({"blue": "Blau", "grün": "Grün", "red": "Rot"}))
    result = make("check-data", f"DATA={data}", f"OUT={page}", f"ARGS=--names={shlex.quote(str(names))}")
    assert result.returncode == 0, result.stderr
    assert "Rot" in page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_training_takes_such_paths(data: Path, tmp_path: Path) -> None:
    options = ["ARCH=resnet18", "WEIGHTS=none", "SIZE=32", "EPOCHS=1", "RUN=quoted"]
    result = make("train", f"DATA={data}", *options, f"ARGS=--runs={shlex.quote(str(tmp_path))}/runs")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "runs" / "quoted" / "results.json").exists()


def test_a_folder_whose_name_is_no_run_name_asks_for_one(tmp_path: Path) -> None:
    result = make("train", f"DATA={write_images(tmp_path / '玉米', 4)}")
    assert result.returncode == 2
    assert "error: run is '玉米'; expected" in result.stderr
    assert "(choose one with RUN=name)" in result.stderr


def test_predict_asks_for_a_picture() -> None:
    result = make("predict")
    assert result.returncode == 2
    assert "error: IMAGE is not set; give an image file or a folder: make predict IMAGE=leaf.jpg" in result.stderr


def test_compare_asks_for_runs_and_takes_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNS", "/the/shells/own")
    result = make("compare")
    assert result.returncode == 2
    assert 'error: RUNS is not set; give the names of two or more runs: make compare RUNS="first second"' in (
        result.stderr
    )
    result = make("compare", "RUNS=no-such-run-* other")
    assert "error: runs/no-such-run-*/results.json does not exist" in result.stderr


def test_a_shells_own_variables_do_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "workstation")
    assert "--host" not in make("-n", "serve").stdout


@pytest.mark.parametrize(("given", "passed"), [("STEPS=4", "steps"), ("EPOCHS=4", "epochs"), ("DATA=", "epochs")])
def test_the_sample_is_trained_for_as_long_as_is_asked(given: str, passed: str) -> None:
    said = make("-n", "train", given).stdout
    assert [name for name in ("steps", "epochs") if f"--{name}" in said] == [passed]


def test_help_names_the_commands_of_the_readme() -> None:
    listed = make("help").stdout
    assert all(f"  make {name} " in listed for name in ("train", "export", "serve", "predict", "test"))


INSTALL = REPOSITORY / "requirements" / "install.sh"
UNREACHABLE = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "1"}


def test_a_missing_python_is_one_line_and_names_another(tmp_path: Path) -> None:
    (tmp_path / "python3.12").symlink_to(sys.executable)
    path = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    command = ["make", "install", "VENV=not-made", "PYTHON=python3.99"]
    result = subprocess.run(command, cwd=REPOSITORY, env=path, capture_output=True, text=True, check=False)
    ours = [line for line in result.stderr.splitlines() if not re.match(r"make(\[\d+\])?: ", line)]
    assert result.returncode == 2
    assert len(ours) == 1
    assert ours[0].startswith("error: python3.99 was not found; install it")
    assert "add PYTHON=python3.1" in ours[0]


def test_an_unsuitable_python_is_named(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.18 || exit 1\n')
    old.chmod(0o755)
    result = install(str(old), tmp_path / "venv", tmp_path / "lock.txt")
    assert result.returncode == 2
    assert f"error: PYTHON={old} is Python 3.9.18; expected Python 3.11, 3.12 or 3.13" in result.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.slow
def test_without_a_network_the_installation_fails_in_one_line(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(f"a-package-that-nobody-has==1 --hash=sha256:{'0' * 64}\n")
    result = install("python3", tmp_path / "venv", lock)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "error: the package registry cannot be reached; check the network or the proxy, then try again "
        f"(details: {tmp_path}/venv/install.log)"
    ]


def install(python: str, venv: Path, lock: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [INSTALL, python, venv, lock], env={**os.environ, **UNREACHABLE}, capture_output=True, text=True, check=False
    )
