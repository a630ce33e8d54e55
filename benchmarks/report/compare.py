"""`python -m benchmarks.report.compare A B`: two results folders in, what changed and what is noise out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.report.figures import interval
from benchmarks.report.record import Record, read_record
from benchmarks.report.rows import Case, Row
from contract import UserError
from contract.console import run_command

Verdict = Literal["better", "worse", "noise"]


class RegressionError(UserError):
    """The second results are worse than the first, beyond noise and the threshold."""


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """Put two results folders side by side; exit with 1 if the second is worse."""

    a: Path
    """Folder with the results before the change."""
    b: Path
    """Folder with the results after the change."""
    threshold: float = 0.1
    """Share (0.1 is 10 %) by which a figure may get worse."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One case in both: the throughput of a closed loop, or the median latency of an open one, whose rate is given."""

    case: Case
    figure: Literal["images/s", "p50 ms"]
    before: float
    after: float
    verdict: Verdict

    @property
    def ratio(self) -> float:
        """After to before."""
        return self.after / self.before


def compare(config: CompareConfig) -> None:
    """Print the table. Raises `RegressionError` or, for folders without results, `UsageError`."""
    before, after = read_record(config.a), read_record(config.b)
    changes = changes_between(before, after, config.threshold)
    table = Table("server", "scenario", "load", "input", "figure", "before", "after", "ratio", "verdict", box=None)
    for change in changes:
        case = change.case
        shown = (f"{change.before:.1f}", f"{change.after:.1f}", f"{change.ratio:.2f}", change.verdict)
        table.add_row(case.server, case.scenario, case.load, case.input, change.figure, *shown)
    Console(soft_wrap=True, highlight=False, width=120).print(table)
    for name in differing_machines(before, after):
        print(f"note: {name} differs: {before.machine.get(name)} before, {after.machine.get(name)} after")
    worse = [change for change in changes if change.verdict == "worse"]
    if worse:
        raise RegressionError(f"{len(worse)} of {len(changes)} figures are more than {config.threshold:.0%} worse")


def changes_between(before: Record, after: Record, threshold: float) -> list[Change]:
    """Every case that both have, generator-bound rows and overloads apart."""
    known = {row.case: row for row in before.rows if _counts(row)}
    return [change_of(known[row.case], row, threshold) for row in after.rows if _counts(row) and row.case in known]


def _counts(row: Row) -> bool:
    return row.case.scenario in ("sweep", "rate") and not row.generator_bound and row.ok > 0


def change_of(before: Row, after: Row, threshold: float) -> Change:
    """What became of one case."""
    if before.case.loop == "closed":
        verdict = judge(before.repeats, after.repeats, threshold, more_is_better=True)
        return Change(case=after.case, figure="images/s", before=before.images_s, after=after.images_s, verdict=verdict)
    verdict = judge(before.repeats_p50, after.repeats_p50, threshold, more_is_better=False)
    first, second = _mean(before.repeats_p50), _mean(after.repeats_p50)
    return Change(case=after.case, figure="p50 ms", before=first, after=second, verdict=verdict)


def judge(before: Sequence[float], after: Sequence[float], threshold: float, *, more_is_better: bool) -> Verdict:
    """Noise is a change within `threshold`, or, with three repeats or more, one whose 95 % intervals overlap."""
    ratio = _mean(after) / _mean(before)
    first, second = interval(before), interval(after)
    overlap = first and second and first[0] <= second[1] and second[0] <= first[1]
    if abs(ratio - 1) <= threshold or overlap:
        return "noise"
    return "better" if (ratio > 1) == more_is_better else "worse"


def differing_machines(before: Record, after: Record) -> list[str]:
    """What differs between the machines, which may be the whole difference."""
    return [name for name, value in before.machine.items() if after.machine.get(name) != value]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    run_command(lambda: compare(tyro.cli(CompareConfig, prog="python -m benchmarks.report.compare")))
