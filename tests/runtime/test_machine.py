"""What this process may use of the machine."""

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
