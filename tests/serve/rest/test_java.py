"""A Java caller, compiled and run; skipped where there is no JDK."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands import RunningServer

SOURCE = Path(__file__).parent / "Ask.java"


def test_a_java_program_gets_its_answer(server: RunningServer, red_jpeg: bytes, tmp_path: Path) -> None:
    if not shutil.which("javac"):
        pytest.skip("no JDK here")
    (tmp_path / "leaf.jpg").write_bytes(red_jpeg)
    result = subprocess.run(
        ["java", str(SOURCE), server.url, str(tmp_path / "leaf.jpg")],
        capture_output=True,
        encoding="utf-8",
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    status, body = result.stdout.splitlines()
    assert status == "200"
    assert json.loads(body)["predictions"][0]["display_name"] == "红色"
