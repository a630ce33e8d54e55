"""What a shell would do to paths and names on their way through make."""

import subprocess
from pathlib import Path

import pytest

from tests.commands import REPOSITORY
from tests.pictures import write_images


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, with the environment that runs these tests taken as installed."""
    command = ["make", "STAMP=", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False)


def test_paths_may_hold_spaces_and_quotes(tmp_path: Path) -> None:
    data = write_images(tmp_path / 'my "photos" of O\'Brien', 4)
    options = f"ARCH=resnet18 WEIGHTS=none SIZE=32 EPOCHS=1 RUN=quoted ARGS=--runs={tmp_path}/runs".split()
    result = make("train", f"DATA={data}", *options)
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
    assert "error: IMAGE is not set; give an image file: make predict IMAGE=leaf.jpg" in result.stderr


def test_a_shells_own_variables_do_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "workstation")
    assert "--host" not in make("-n", "serve").stdout


def test_help_names_the_commands_of_the_readme() -> None:
    listed = make("help").stdout
    assert all(f"  make {name} " in listed for name in ("train", "export", "serve", "predict", "test"))
