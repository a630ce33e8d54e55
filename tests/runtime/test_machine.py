"""What this process may use of the machine."""

import mmap
from pathlib import Path

import pytest

from runtime import machine


@pytest.mark.parametrize(
    ("quota", "most"),
    [("max 100000", 64), ("100000 100000", 1), ("150000 100000", 2), ("50000 100000", 1), ("nonsense", 64), ("", 64)],
)
def test_cores_follow_the_quota_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, most: int
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    assert machine.cores() == most


def test_the_older_form_of_the_quota_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("250000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    assert machine.cores() == 3


@pytest.mark.parametrize(
    ("file", "limit", "bytes_"),
    [
        ("memory.max", "536870912\n", 536_870_912),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", "104857600\n", 104_857_600),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
        ("no/such", "1", None),
    ],
)
def test_the_memory_limit_of_the_container_is_known_in_either_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, limit: str, bytes_: int | None
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(limit)
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert machine.memory_limit() == bytes_


def test_what_is_in_memory_grows_with_what_is_taken() -> None:
    # Pages of its own from the system: a bytearray may lie in memory that an earlier test freed, and nothing grows.
    with mmap.mmap(-1, 50_000_000) as taken:
        before = machine.resident_bytes()
        taken.write(b"x" * len(taken))
        assert machine.resident_bytes() - before > len(taken) / 2
