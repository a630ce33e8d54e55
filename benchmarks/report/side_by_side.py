"""A record in, one line for each server out: the table that people look at first."""

from collections.abc import Sequence

from benchmarks.report.record import Record
from benchmarks.report.rows import Row
from benchmarks.report.words import best_of

STOCK = "image_classifier"
HEADINGS = (
    "server",
    "images/s",
    "of ceiling",
    f"times {STOCK}",
    "p50 with 1 client, ms",
    "highest rate within the SLO, /s",
    "correct under overload, /s",
    "shed under overload",
    "recovery time",
    "cold start, s",
)


def side_by_side(record: Record) -> list[list[str]]:
    """The best of the sweep on mixed pictures, beside what `STOCK` reaches, and what the other loads say."""
    servers = dict.fromkeys(row.case.server for row in record.rows)
    stock = best_of(record.rows, STOCK)
    return [_line(server, record, stock) for server in servers]


def _line(server: str, record: Record, stock: Row | None) -> list[str]:
    own = [row for row in record.rows if row.case.server == server]
    best = best_of(own, server)
    ready = record.cold_starts.get(server, {}).get("ready")
    return [
        server,
        f"{best.images_s:.1f}" if best else "-",
        f"{best.of_ceiling:.0%}" if best else "-",
        f"{best.images_s / stock.images_s:.1f}" if best and stock else "-",
        *_alone(own),
        *_carried(own),
        *_overloaded(own),
        f"{ready:.1f}" if ready is not None else "-",
    ]


def _alone(own: Sequence[Row]) -> list[str]:
    rows = [row for row in own if row.case.load == "1 client" and row.case.input == "mixed" and row.p50 is not None]
    return [f"{rows[0].p50:.0f}" if rows else "-"]


def _carried(own: Sequence[Row]) -> list[str]:
    found = [row.within_slo for row in own if row.within_slo is not None]
    return ["-" if not found else f"{found[0]:.1f}" if found[0] else "none"]


def _overloaded(own: Sequence[Row]) -> list[str]:
    """At the first multiple of the capacity."""
    rows = [row for row in own if row.case.scenario == "overload"]
    if not rows:
        return ["-", "-", "-"]
    row = rows[0]
    sent = row.ok + row.wrong + row.shed + row.timeout + row.error
    return [
        f"{row.images_s:.1f}",
        f"{row.shed / max(1, sent):.0%}",
        "-" if row.recovered_s is None else f"{'' if row.recovered else '> '}{row.recovered_s:.1f} s",
    ]
