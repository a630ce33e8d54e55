"""The attacks, on a real server of a tiny model."""

from pathlib import Path

import pytest

from benchmarks.hostile.bodies import many, small, tensor, unfinished
from benchmarks.hostile.flood import flood, repeat
from contract import Manifest
from tests.commands import RunningServer, run_module


def test_what_is_long_is_answered_if_it_comes_alone(server: RunningServer, bundle: Path) -> None:
    manifest = Manifest.read(bundle)
    for request in (small(manifest), tensor(manifest), many(small(manifest).body, maps=True)):
        (ending,) = flood(server.url, request, 1, 30)
        assert ending.status == 200


def test_who_hears_nothing_leaves(server: RunningServer, bundle: Path) -> None:
    endings = flood(server.url, unfinished(1000), 3, 0.2)
    assert [ending.status for ending in endings] == [0, 0, 0]
    assert all(0.2 <= ending.seconds < 5 for ending in endings)
    assert {ending.status for ending in repeat(server.url, small(Manifest.read(bundle)), 2, 0.1)} == {200}


@pytest.mark.slow
def test_everything_is_measured(bundle: Path) -> None:
    few = ("--connections", "20", "--bombs", "2", "--seconds", "1")
    result = run_module("benchmarks.hostile", "--bundle", str(bundle), *few)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) == 3 + 5 + 4 + 3
    assert all("200" in line or "413" in line or "429" in line for line in lines if "x" in line)
