import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from contract.atomic import write_atomically, write_text_atomically
from tests.commands import REPOSITORY, run_python
from tests.effort import times


def test_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text_atomically(path, "long old text")
    write_text_atomically(path, "nëu")
    assert path.read_text(encoding="utf-8") == "nëu"
    assert list(tmp_path.iterdir()) == [path]


def test_write_keeps_the_old_file_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text_atomically(path, "old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_write_at_once_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"

    def while_another_writes(file: BinaryIO) -> None:
        file.write(b"first")
        write_text_atomically(path, "second")
        file.write(b", whole")

    write_atomically(path, while_another_writes)
    assert path.read_text() == "first, whole"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_left_is_removed_by_the_next_write(tmp_path: Path) -> None:
    long_ago = time.time() - 3600
    for name in (".a.txt.4711-1.tmp", ".a.txt.tmp"):  # the second as earlier versions called it
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (long_ago, long_ago))
    (tmp_path / f".a.txt.{os.getpid()}-0.tmp").write_text("of another that is still writing")
    write_text_atomically(tmp_path / "a.txt", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", f".a.txt.{os.getpid()}-0.tmp"}


FULL_DISK = """
import resource, signal
from pathlib import Path
from contract.atomic import write_atomically
from contract.console import run_command
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
run_command(lambda: write_atomically(Path({path!r}), lambda file: file.write(b"x" * 5000)))
"""


def test_a_full_disk_is_one_line_and_exit_1(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    result = run_python(FULL_DISK.format(path=str(path)))
    assert (result.returncode, result.stderr) == (1, f"error: {path}: File too large\n")
    assert path.read_text() == "old"


ENDLESS_WRITES = """
import itertools
from pathlib import Path
from contract.atomic import write_atomically
for number in itertools.count():
    write_atomically(Path({path!r}), lambda file: file.write(str(number % 10).encode() * 2_000_000))
    print(number, flush=True)
"""


@pytest.mark.proof
def test_kill_9_while_writing_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    for writes in range(1, times(9, 200)):
        process = subprocess.Popen(
            [sys.executable, "-c", ENDLESS_WRITES.format(path=str(path))], cwd=REPOSITORY, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        for _ in range(writes):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        content = path.read_bytes()
        assert len(content) == 2_000_000
        assert len(set(content)) == 1
