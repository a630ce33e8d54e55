"""Every way to run a bundle is measured, and the best one is what the server takes."""

from pathlib import Path

import pytest

from benchmarks.tune.plot import frontier
from benchmarks.tune.trial import Trial, Way
from benchmarks.tune.tune import TuneConfig, choose, tune, ways_of
from contract import UsageError, UserError
from runtime import Mode
from runtime.machine import cores
from runtime.serve_settings import read_settings
from serve.config import ServeConfig


def trial(images_s: float, p99_ms: float) -> Trial:
    way = Way(mode=Mode(), runners=1, threads=2, batch=1)
    return Trial(way=way, images_s=images_s, p50_ms=p99_ms / 2, p99_ms=p99_ms)


def test_tuning_writes_what_the_server_takes(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.tune.tune.BUDGET_S", 0.1)
    best = tune(TuneConfig(bundle=bundle, out=tmp_path / "tuned", max_batch=2))
    written = tmp_path / "tuned" / "serve.toml"
    found = read_settings(written, bundle)
    assert (found.runners, found.threads, found.max_batch) == (best.way.runners, best.way.threads, best.way.batch)
    assert (tmp_path / "tuned" / "serve.png").stat().st_size > 10_000
    assert f"SETTINGS={written}" in capsys.readouterr().out
    config = ServeConfig(bundle=bundle, settings=written).tuned()
    assert (config.provider, config.precision, config.runners) == ("cpu", "fp32", found.runners)
    assert ServeConfig(bundle=bundle, settings=written, runners=5).tuned().runners == 5, "what is given holds"


def test_the_fastest_way_within_the_limit_is_chosen() -> None:
    quick, fast = trial(50, 20), trial(90, 80)
    assert choose([quick, fast], 0) == fast
    assert choose([quick, fast], 40) == quick
    with pytest.raises(UserError, match=r"no way answers 99 % of the pictures within 10 ms; the quickest, cpu fp32"):
        choose([quick, fast], 10)


def test_ways_use_all_cores_and_no_more() -> None:
    ways = ways_of(Mode(), max_batch=4)
    assert {way.batch for way in ways} == {1, 2, 4}
    assert all(way.runners * way.threads <= cores() for way in ways)
    assert {(1, cores()), (cores(), 1)} <= {(way.runners, way.threads) for way in ways}


def test_the_line_of_a_mode_joins_what_no_other_way_beats() -> None:
    slow, quick, fast, worse = trial(10, 30), trial(20, 20), trial(40, 40), trial(30, 50)
    assert frontier([slow, quick, fast, worse]) == [quick, fast]


def test_wrong_options_are_told_at_once(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"slo_p99_ms is -1.*max_batch is 0"):
        TuneConfig(bundle=bundle, slo_p99_ms=-1, max_batch=0)
    with pytest.raises(UsageError, match="settings are for one bundle"):
        ServeConfig(models=tmp_path, settings=tmp_path / "serve.toml")
