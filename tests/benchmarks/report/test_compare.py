"""Two results, made to differ by known amounts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.config import BenchConfig
from benchmarks.load.samples import DTYPE, Outcome, Samples
from benchmarks.report.compare import CompareConfig, RegressionError, changes_between, compare, judge
from benchmarks.report.record import command_of, read_record, settings_of
from benchmarks.report.rows import summarise
from contract import UsageError
from tests.benchmarks.report.rows import CLOSED, OPEN, record, row, samples


def test_a_row_says_what_the_samples_say() -> None:
    made = row(CLOSED, [20, 20, 20])
    assert (made.images_s, made.of_ceiling) == pytest.approx((20, 0.2), rel=0.02)
    assert made.ok == 600
    assert made.p50 == pytest.approx(100)
    assert made.p999 is None
    assert made.steady
    assert not made.generator_bound


def test_refusals_have_a_time_of_their_own() -> None:
    shed = samples(100, 0.1).rows
    shed["outcome"][::2] = Outcome.SHED
    shed["done"][::2] = shed["due"][::2] + 0.007
    made = summarise(CLOSED, [Samples(shed, 10, 0.1)], [], ceiling=100)
    assert (made.refused_p99, made.p50) == pytest.approx((7, 100))
    assert row(CLOSED, [20]).refused_p99 is None


def test_throughput_counts_between_answers() -> None:
    """Batches of 8 every 0.4 s are 20 images/s, wherever the measurement ends."""
    rows = np.zeros(80, DTYPE)
    rows["done"] = np.repeat(np.arange(1, 11) * 0.4, 8)
    rows["sent"] = rows["due"] = rows["done"] - 0.4
    assert [Samples(rows, seconds, 0.1).throughput for seconds in (4.0, 4.3, 2.1)] == pytest.approx([20, 20, 20])
    assert Samples(rows[:8], 4.0, 0.1).throughput == 2
    assert Samples(rows[:0], 4.0, 0.1).throughput == 0


def test_a_busy_or_late_generator_is_said_to_be() -> None:
    busy = replace(samples(20, 0.1), generator_cpu=0.95)
    assert summarise(CLOSED, [busy], [], 100).generator_bound
    late = samples(20, 0.2)
    late.rows["sent"] += 0.1
    assert summarise(OPEN, [late], [], 100).generator_bound


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([10.0, 10.1, 9.9], [10.5, 10.6, 10.4], "noise"),  # within the threshold
        ([10.0, 10.1, 9.9], [8.0, 8.1, 7.9], "worse"),
        ([10.0, 10.1, 9.9], [13.0, 13.1, 12.9], "better"),
        ([10.0, 14.0, 6.0], [8.0, 11.0, 5.0], "noise"),  # the intervals overlap
        ([10.0], [8.0], "worse"),  # without repeats the threshold decides
    ],
)
def test_noise_is_told_from_change(before: list[float], after: list[float], expected: str) -> None:
    assert judge(before, after, 0.1, more_is_better=True) == expected
    inverse = {"noise": "noise", "worse": "better", "better": "worse"}
    assert judge(before, after, 0.1, more_is_better=False) == inverse[expected]


def test_closed_loops_compare_rates_and_open_ones_latencies() -> None:
    before = record(row(CLOSED, [20, 20, 20]), row(OPEN, [10, 10, 10], latency_s=0.1))
    after = record(row(CLOSED, [30, 30, 30]), row(OPEN, [10, 10, 10], latency_s=0.2))
    rate, latency = changes_between(before, after, 0.1)
    assert (rate.figure, rate.verdict, latency.figure, latency.verdict) == ("images/s", "better", "p50 ms", "worse")
    assert (rate.ratio, latency.ratio) == pytest.approx((1.5, 2), rel=0.01)


def test_what_is_carried_and_how_an_overload_ends_are_judged_too() -> None:
    crowd = replace(CLOSED, scenario="crowd")
    slo, storm = (row(replace(OPEN, scenario=scenario), [10]) for scenario in ("goodput", "overload"))
    before = record(replace(slo, within_slo=10.0), replace(storm, recovered_s=0.0, recovered=True), row(crowd, [20]))
    after = record(replace(slo, within_slo=0.0), replace(storm, recovered_s=3.0, recovered=True), row(crowd, [10]))
    judged = {change.figure: change.verdict for change in changes_between(before, after, 0.1)}
    assert judged == {"within SLO /s": "worse", "recovery s": "worse", "images/s": "worse"}
    again = record(replace(storm, recovered_s=0.9, recovered=True))
    assert [change.verdict for change in changes_between(before, again, 0.1)] == ["noise", "noise"]


def test_a_regression_is_an_error_and_an_improvement_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(row(CLOSED, [20, 20, 20])).write(tmp_path / "slow")
    record(row(CLOSED, [30, 30, 30])).write(tmp_path / "fast")
    compare(CompareConfig(a=tmp_path / "slow", b=tmp_path / "fast"))
    assert "better" in capsys.readouterr().out
    with pytest.raises(RegressionError, match="1 of 1 figures are more than 10% worse"):
        compare(CompareConfig(a=tmp_path / "fast", b=tmp_path / "slow"))


def test_a_record_survives_the_disk(tmp_path: Path) -> None:
    made = record(row(CLOSED, [20, 20, 20]), row(OPEN, [10]))
    made.write(tmp_path)
    assert read_record(tmp_path) == made


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not a folder of results .*; expected one that make bench wrote"):
        read_record(tmp_path)


def test_the_command_that_repeats_a_test_names_what_differs() -> None:
    settings = settings_of(BenchConfig(bundle=Path("runs/corn/bundle"), seconds=5, clients=(1, 8), quick=True))
    assert command_of(settings) == "python -m benchmarks --bundle BUNDLE --quick --clients 1 8 --seconds 5"
