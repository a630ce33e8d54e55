"""Rows of known rates and latencies."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.load.samples import DTYPE, Samples
from benchmarks.report.record import Record
from benchmarks.report.rows import Case, Row, summarise

CLOSED = Case(server="lean", scenario="sweep", loop="closed", load="8 clients", input="mixed")
OPEN = replace(CLOSED, scenario="rate", loop="open", load="50% of capacity")


def samples(rate: float, latency_s: float, seconds: float = 10) -> Samples:
    rows = np.zeros(int(rate * seconds), DTYPE)
    rows["due"] = rows["sent"] = np.linspace(0, seconds - latency_s - 0.01, len(rows))
    rows["done"] = rows["due"] + latency_s
    return Samples(rows, seconds, 0.1)


def row(case: Case, rates: Sequence[float], latency_s: float = 0.1) -> Row:
    return summarise(case, [samples(rate, latency_s) for rate in rates], [], ceiling=100)


def record(*rows: Row) -> Record:
    return Record(settings={}, machine={"cores": "2"}, rows=list(rows), ceilings={"lean": {"mixed": 100}})
