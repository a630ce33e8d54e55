"""The table that people look at first, of rows whose figures are known."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.report.record import RESULTS_FILE, read_record
from benchmarks.report.side_by_side import side_by_side
from tests.benchmarks.report.rows import CLOSED, OPEN, record, row


def test_servers_stand_side_by_side() -> None:
    stock = replace(CLOSED, server="image_classifier")
    alone = replace(CLOSED, load="1 client")
    rows = [
        row(alone, [10, 10, 10], latency_s=0.08),
        row(CLOSED, [20, 20, 20]),
        replace(row(replace(OPEN, scenario="goodput"), [12]), within_slo=11.5),
        replace(row(replace(OPEN, scenario="overload"), [18]), recovered_s=1.3, recovered=True, shed=180),
        row(stock, [5, 5, 5]),
        replace(row(replace(OPEN, server="image_classifier", scenario="goodput"), [1]), within_slo=0.0),
    ]
    made = replace(record(*rows), cold_starts={"lean": {"ready": 4.21, "first answer": 4.3}})
    lean, slow = side_by_side(made)
    assert lean == ["lean", "20.1", "20%", "4.1", "80", "11.5", "18.1", "50%", "1.3 s", "4.2"]
    assert slow == ["image_classifier", "5.0", "5%", "1.0", "-", "none", "-", "-", "-", "-"]


@pytest.mark.parametrize(
    ("note", "figures"),
    [
        ("11.5 requests/s carried, 12.5 not", ["11.5", "-"]),
        ("11.5 requests/s within the SLO, 12.5 requests/s not", ["11.5", "-"]),
        ("not even 0.5 requests/s carried", ["none", "-"]),
        ("recovered after 1.3 s; throughput 98% of the closed loop just before", ["-", "1.3 s"]),
        ("recovered after more than 12 s", ["-", "> 12.0 s"]),
    ],
)
def test_older_results_say_some_figures_in_words(tmp_path: Path, note: str, figures: list[str]) -> None:
    scenario = "overload" if "recovered" in note else "goodput"
    made = record(replace(row(replace(OPEN, scenario=scenario), [1]), note=note))
    made.write(tmp_path)
    results = json.loads((tmp_path / RESULTS_FILE).read_text())
    for name in ("within_slo", "recovered_s", "recovered"):
        del results["rows"][0][name]
    (tmp_path / RESULTS_FILE).write_text(json.dumps(results))
    (line,) = side_by_side(read_record(tmp_path))
    assert [line[5], line[8]] == figures
