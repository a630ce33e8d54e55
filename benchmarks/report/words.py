"""Rows in, what they mean out: sentences for people who have not followed every column."""

from collections.abc import Sequence

from benchmarks.report.record import Record
from benchmarks.report.rows import Row


def conclusions(record: Record) -> list[str]:
    """What was found, the most important first."""
    rows = record.rows
    servers = list(dict.fromkeys(row.case.server for row in rows))
    sentences = [sentence for server in servers for sentence in of_server(server, rows)]
    sentences += [f"{name} was not measured completely: {why}" for name, why in record.failures.items()]
    if not record.complete and not record.failures:
        sentences.append("The test was interrupted: this report has only the measurements made before that.")
    bound = [row for row in rows if row.generator_bound]
    if bound:
        sentences.append(
            f"Rows in which the load generator was too slow: {len(bound)}. "
            "Their rates are limited by the generator and are not the server's throughput."
        )
    unsteady = sum(not row.steady for row in rows if row.case.scenario == "sweep")
    if unsteady:
        sentences.append(f"{unsteady} rows of the sweep were not steady: rate or latency changed by more than 10 %.")
    return sentences


def of_server(server: str, rows: Sequence[Row]) -> list[str]:
    """What one server carries, what it does beyond, and whether it was ever wrong."""
    own = [row for row in rows if row.case.server == server]
    best, first = best_of(rows, server), best_of(rows, rows[0].case.server)
    sentences = [of_sweep(best, first)] if best and first else []
    sentences += [of_row(row) for row in own if row.case.scenario in ("goodput", "overload", "crowd", "soak")]
    wrong = sum(row.wrong for row in own)
    checked = sum(row.ok + row.wrong for row in own)
    return [*sentences, f"{server} gave {wrong} wrong answers of {checked} checked answers."]


def of_sweep(best: Row, first: Row) -> str:
    """What a server's best row of the sweep means, beside the first server's."""
    beside = ""
    if best.case.server != first.case.server:
        beside = f", and {best.images_s / first.images_s:.2f} times the throughput of {first.case.server}"
    return (
        f"{best.case.server} answers {best.images_s:.1f} images/s with {best.case.load}, "
        f"{best.of_ceiling:.0%} of the ceiling (decoding and session without a server){beside}."
    )


def of_row(row: Row) -> str:
    """What a row of another scenario means."""
    server, load = row.case.server, row.case.load
    if row.case.scenario not in ("overload", "crowd"):
        return f"{server}, {row.case.scenario}, {load}: {row.note}."
    shed = row.shed / max(1, row.ok + row.shed + row.timeout + row.wrong + row.error)
    at_most = f" (99 % of the refusals within {row.refused_p99:.0f} ms)" if row.refused_p99 is not None else ""
    return (
        f"{server}, {load}: {row.images_s:.1f} correct answers/s, {shed:.0%} of the requests shed{at_most}, "
        f"{row.timeout + row.error} timeouts and errors; {row.note}."
    )


def best_of(rows: Sequence[Row], server: str) -> Row | None:
    """The row of the sweep with the highest rate."""
    own = [
        row for row in rows if row.case.server == server and row.case.scenario == "sweep" and row.case.input == "mixed"
    ]
    found = [row for row in own if row.images_s and not row.generator_bound]
    return max(found, key=lambda row: row.images_s) if found else None
