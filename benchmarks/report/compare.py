"""`python -m benchmarks.report.compare A B`: two results folders in, what changed and what is noise out."""

import math
from collections.abc import Callable, Iterator, Sequence
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
Figure = Literal["images/s", "p50 ms", "within SLO /s", "recovery s"]


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
    """One figure of a case in both."""

    case: Case
    figure: Figure
    before: float
    after: float
    verdict: Verdict

    @property
    def ratio(self) -> float:
        """After to before."""
        return _ratio(self.before, self.after)


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
    """Every case that both have; rates that the generator bounds say nothing of the server."""
    known = {row.case: row for row in before.rows if _counts(row)}
    pairs = [(known[row.case], row) for row in after.rows if _counts(row) and row.case in known]
    return [change for pair in pairs for change in changes_of(*pair, threshold)]


def _counts(row: Row) -> bool:
    return not row.generator_bound and row.ok > 0


def changes_of(before: Row, after: Row, threshold: float) -> Iterator[Change]:
    """What became of one case: of the figures that its scenario is for."""
    for figure, (read, more_is_better, slack) in FIGURES.items():
        first, second = read(before), read(after)
        if first and second:
            verdict = judge(first, second, threshold, more_is_better=more_is_better)
            if abs(_mean(second) - _mean(first)) <= slack:
                verdict = "noise"
            yield Change(case=after.case, figure=figure, before=_mean(first), after=_mean(second), verdict=verdict)


def _rates(row: Row) -> Sequence[float]:
    """Of an open loop the rate is given, unless it is more than the server carries."""
    return row.repeats if row.case.loop == "closed" or row.case.scenario == "overload" else ()


def _medians(row: Row) -> Sequence[float]:
    return row.repeats_p50 if row.case.scenario in ("rate", "beside") else ()


def _within_slo(row: Row) -> Sequence[float]:
    return () if row.within_slo is None else (row.within_slo,)


def _recovery(row: Row) -> Sequence[float]:
    return () if row.recovered_s is None else (row.recovered_s,)


# How to read each, whether more of it is better, and by how much it differs from run to run however small it is.
FIGURES: dict[Figure, tuple[Callable[[Row], Sequence[float]], bool, float]] = {
    "images/s": (_rates, True, 0.0),
    "p50 ms": (_medians, False, 0.0),
    "within SLO /s": (_within_slo, True, 0.0),
    "recovery s": (_recovery, False, 1.0),
}


def judge(before: Sequence[float], after: Sequence[float], threshold: float, *, more_is_better: bool) -> Verdict:
    """Noise is a change within `threshold`, or, with three repeats or more, one whose 95 % intervals overlap."""
    ratio = _ratio(_mean(before), _mean(after))
    first, second = interval(before), interval(after)
    overlap = first and second and first[0] <= second[1] and second[0] <= first[1]
    if abs(ratio - 1) <= threshold or overlap:
        return "noise"
    return "better" if (ratio > 1) == more_is_better else "worse"


def differing_machines(before: Record, after: Record) -> list[str]:
    """What differs between the machines, which may be the whole difference."""
    return [name for name, value in before.machine.items() if after.machine.get(name) != value]


def _ratio(before: float, after: float) -> float:
    return after / before if before else math.inf if after else 1.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    run_command(lambda: compare(tyro.cli(CompareConfig, prog="python -m benchmarks.report.compare")))
