"""A server's share of its ceiling."""

from pathlib import Path

import pytest

from benchmarks.load.samples import Samples
from benchmarks.shares import share_of
from runtime.machine import cores
from tests.benchmarks.report.rows import samples
from tests.commands import run_module


def test_what_the_generator_takes_is_taken_from_the_ceiling() -> None:
    rows = samples(30, 0.1).rows
    busy, idle = Samples(rows, 10, cores() / 4), Samples(rows, 10, 0)
    assert share_of(idle, 60) == pytest.approx(0.5, rel=0.02)
    assert share_of(busy, 60) == pytest.approx(4 / 3 * share_of(idle, 60))


@pytest.mark.slow
def test_server_and_ceiling_take_turns(bundle: Path) -> None:
    short = ("--seconds", "1", "--repeats", "1", "--clients", "2", "4")
    result = run_module("benchmarks.shares", "--bundle", str(bundle), *short)
    assert (result.returncode, result.stderr) == (0, "")
    _, two, four = (line.split() for line in result.stdout.splitlines())
    assert (two[0], four[0]) == ("2", "4")
    for line in (two, four):
        assert 0 < float(line[1]) == float(line[-1])
