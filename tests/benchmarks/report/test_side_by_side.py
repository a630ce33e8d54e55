"""The table that people look at first, of rows whose figures are known."""

from dataclasses import replace

from benchmarks.report.side_by_side import side_by_side
from tests.benchmarks.report.rows import CLOSED, OPEN, record, row


def test_servers_stand_side_by_side() -> None:
    stock = replace(CLOSED, server="image_classifier")
    alone = replace(CLOSED, load="1 client")
    rows = [
        row(alone, [10, 10, 10], latency_s=0.08),
        row(CLOSED, [20, 20, 20]),
        replace(
            row(replace(OPEN, scenario="goodput"), [12]), note="11.5 requests/s within the SLO, 12.5 requests/s not"
        ),
        replace(
            row(replace(OPEN, scenario="overload"), [18]),
            note="recovered after 1.3 s; throughput 98% of the closed loop just before",
            shed=180,
        ),
        row(stock, [5, 5, 5]),
        replace(
            row(replace(OPEN, server="image_classifier", scenario="goodput"), [1]),
            note="no rate within the SLO; the lowest tested was 0.5 requests/s",
        ),
    ]
    made = replace(record(*rows), cold_starts={"lean": {"ready": 4.21, "first answer": 4.3}})
    lean, slow = side_by_side(made)
    assert lean == ["lean", "20.1", "20%", "4.1", "80", "11.5", "18.1", "50%", "1.3 s", "4.2"]
    assert slow == ["image_classifier", "5.0", "5%", "1.0", "-", "none", "-", "-", "-", "-"]


def test_the_rate_is_read_from_the_notes_of_older_results() -> None:
    notes = ("11.5 requests/s carried, 12.5 not", "not even 0.5 requests/s carried")
    rows = [replace(row(replace(OPEN, server=note, scenario="goodput"), [1]), note=note) for note in notes]
    assert [line[5] for line in side_by_side(record(*rows))] == ["11.5", "none"]
