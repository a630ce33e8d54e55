"""A running server in, rows out: the loads that say what it carries, what it does beyond that, and how it recovers."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.config import BenchConfig
from benchmarks.load.generator import Job, write_job
from benchmarks.load.samples import Outcome, Samples
from benchmarks.load.slow_clients import SlowClients
from benchmarks.report.figures import slope_per_hour
from benchmarks.report.rows import Case, Row, summarise
from benchmarks.targets.servers import ROOT, Target, TargetError
from benchmarks.targets.watch import Usage, Watch

MIXED, SIZED = "mixed", "model size"
INPUTS = (MIXED, SIZED)
PATIENCE_S = 30
SETTLE = 1.5
SOAK_CLIENTS = 8
PEAK_CLIENTS = 16
FAILURES = 0.001


Measured = tuple[Samples, Watch | None]
"""The requests, and what was seen of the server's processes, where those are known."""


@dataclass
class Load:
    """Sends measurements to one target; `corpora` and `ceilings` are by input."""

    config: BenchConfig
    target: Target
    folder: Path
    corpora: dict[str, Path]
    ceilings: dict[str, float]
    seed: int = field(default=0, init=False)

    def closed(self, input: str, seconds: float, clients: int, *, obedient: bool = True) -> Measured:
        """So many clients, each asking again when it has its answer, and when it was told to if it is `obedient`."""
        return self._measure(input, seconds, clients, (), obedient=obedient)

    def open(self, input: str, *phases: tuple[float, float]) -> Measured:
        """Poisson arrivals at a rate per second for so many seconds, phase after phase."""
        return self._measure(input, sum(seconds for _, seconds in phases), 0, phases)

    def _measure(
        self,
        input: str,
        seconds: float,
        clients: int,
        phases: Sequence[tuple[float, float]],
        *,
        obedient: bool = True,
    ) -> Measured:
        """Let the generator measure, in a process of its own, with an eye on the server's processes."""
        self.seed += 1
        job = Job(
            base=self.target.base,
            model=self.target.model,
            protocol=self.target.protocol,
            corpus=str(self.corpora[input]),
            seconds=seconds,
            clients=clients,
            phases=phases,
            seed=self.seed,
            patience_s=PATIENCE_S,
            headers=self.config.headers,
            obedient=obedient,
            tolerance=self.target.tolerance,
        )
        watch = Watch(self.target.pid) if self.target.pid else None
        with watch or nullcontext():
            samples = run_job(job, self.folder)
        return samples, watch

    def case(self, loop: Literal["closed", "open"], scenario: str, load: str, input: str) -> Case:
        """What is being measured."""
        return Case(server=self.target.name, scenario=scenario, loop=loop, load=load, input=input)

    def row(self, case: Case, done: Sequence[Measured], note: str = "") -> Row:
        """The row of a case's repeats."""
        usages: list[Usage] = [watch.usage for _, watch in done if watch]
        return summarise(case, [samples for samples, _ in done], usages, self.ceilings[case.input], note)


def run_job(job: Job, folder: Path) -> Samples:
    """Let the generator do a job. Raises `TargetError` if it can't, or if nobody answers at all."""
    job_file, samples_file = folder / "job.json", folder / "samples.npz"
    write_job(job, job_file)
    command = [sys.executable, "-m", "benchmarks.load.generator", str(job_file), str(samples_file)]
    limit = job.seconds + 2 * job.patience_s + 30
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise TargetError(f"the load generator did not finish within {limit:g} s") from error
    if result.returncode:
        raise TargetError(
            f"the load generator failed: {(result.stderr.strip().splitlines() or ['it printed nothing'])[-1]}"
        )
    with np.load(samples_file) as found:
        samples = Samples(found["rows"], job.seconds, float(found["generator_cpu"]))
    if len(samples.rows) and np.all(samples.rows["outcome"] == Outcome.ERROR):
        raise TargetError(f"{job.base} does not answer any request; is the server running?")
    return samples


def warm_up(load: Load) -> None:
    """Let every batch size and connection happen once before anything counts."""
    for input in INPUTS:
        load.closed(input, min(2, load.config.seconds), max(load.config.clients))


def sweep(load: Load) -> Iterator[Row]:
    """Closed loop with each number of clients and each input."""
    for input in INPUTS:
        for clients in load.config.clients:
            done = [load.closed(input, load.config.seconds, clients) for _ in range(load.config.repeats)]
            named = f"{clients} client{'s' if clients > 1 else ''}"
            yield load.row(load.case("closed", "sweep", named, input), done)


def rates(load: Load, capacity: float) -> Iterator[Row]:
    """Open loop at shares of `capacity` (images/s); latency counts from the intended time."""
    for share in load.config.shares:
        rate = share * capacity
        done = [load.open(MIXED, (rate, load.config.seconds)) for _ in range(load.config.repeats)]
        case = load.case("open", "rate", f"{share:.0%} of capacity", MIXED)
        yield load.row(case, done, f"{rate:.1f} requests/s")


def goodput(load: Load, capacity: float) -> Iterator[Row]:
    """The highest rate that keeps the SLO, found by halving."""
    slo, low, high = load.config.slo_ms, 0.0, 1.2 * capacity
    best: Measured | None = None
    for _ in range(load.config.search_steps):
        rate = (low + high) / 2
        found = load.open(MIXED, (rate, 2 * load.config.seconds))
        if keeps(found[0], slo):
            low, best = rate, found
        else:
            high, worst = rate, found
    case = load.case("open", "goodput", f"p99 <= {slo:g} ms", MIXED)
    if best:
        row = load.row(case, [best], f"{low:.1f} requests/s within the SLO, {high:.1f} requests/s not")
        yield replace(row, within_slo=low)
    elif load.config.search_steps:
        row = load.row(case, [worst], f"no rate within the SLO; the lowest tested was {high:.1f} requests/s")
        yield replace(row, within_slo=0.0)


def keeps(samples: Samples, slo_ms: float) -> bool:
    """Whether at most 1 % of the requests took longer or failed, and at most 0.1 % failed or were shed."""
    late, total = int(np.sum(samples.latencies_ms > slo_ms)), len(samples.rows)
    failed = total - samples.count(Outcome.OK)
    return total > 0 and late + failed <= 0.01 * total and failed <= FAILURES * total


def overloads(load: Load, capacity: float) -> Iterator[Row]:
    """Half the capacity, then a multiple of it, then half of it again, without a pause.

    A closed loop goes before, of enough clients that never wait long: the machine is not the same all day.
    """
    for factor in load.config.overloads:
        closed, _ = load.closed(SIZED, load.config.seconds / 2, PEAK_CLIENTS)
        calm, storm = (capacity / 2, load.config.seconds), (factor * capacity, load.config.seconds)
        after = (capacity / 2, SETTLE * load.config.seconds)
        samples, watch = load.open(SIZED, calm, storm, after)
        begin, end = calm[1], calm[1] + storm[1]
        stormy, share = samples.between(begin, end), ""
        if closed.throughput:
            share = f"; throughput {stormy.throughput / closed.throughput:.0%} of the closed loop just before"
        took, over = recovery(samples.between(0, begin), samples.between(end, end + after[1]))
        case = load.case("open", "overload", f"{factor:g} x capacity", SIZED)
        row = load.row(case, [(stormy, watch)], f"recovered after {'' if over else 'more than '}{took:.1f} s{share}")
        yield replace(row, recovered_s=took, recovered=over)


def crowds(load: Load) -> Iterator[Row]:
    """Closed loops of clients that never wait, however they are refused, beside one of few, in turns."""
    for clients in load.config.crowds:
        few, crowd = list[Measured](), list[Measured]()
        for _ in range(load.config.repeats):
            few.append(load.closed(SIZED, load.config.seconds, PEAK_CLIENTS))
            crowd.append(load.closed(SIZED, load.config.seconds, clients, obedient=False))
        usual = sum(samples.throughput for samples, _ in few)
        share = sum(samples.throughput for samples, _ in crowd) / usual if usual else 0.0
        note = f"throughput {share:.0%} of that of {PEAK_CLIENTS} clients"
        yield load.row(load.case("closed", "crowd", f"{clients:,} clients that never wait", SIZED), crowd, note)


def recovery(before: Samples, after: Samples) -> tuple[float, bool]:
    """When the last request was due that failed, or took twice as long as 99 % did before the overload, in seconds.

    Where that goes on to the end: how long was looked at, and False.
    """
    usual = float(np.percentile(before.latencies_ms, 99)) if len(before.latencies_ms) else np.inf
    slow = 1000 * (after.rows["done"] - after.rows["due"]) > 2 * usual
    late = after.rows["due"][slow | (after.rows["outcome"] != Outcome.OK)]
    last = float(late.max()) if len(late) else 0.0
    over = last < 0.9 * after.seconds
    return last if over else after.seconds, over


def beside_slow(load: Load, capacity: float) -> Iterator[Row]:
    """Half the capacity alone, and beside clients that send or read too slowly, in turns."""
    count, rate = load.config.slow_clients, (capacity / 2, load.config.seconds)
    if not count:
        return
    alone, beside, lasted = list[Measured](), list[Measured](), list[float]()
    for _ in range(load.config.repeats):
        alone.append(load.open(MIXED, rate))
        load.seed -= 1  # the same requests at the same times
        with SlowClients(load.target.base, count) as crowd:
            beside.append(load.open(MIXED, rate))
        lasted += crowd.lasted_s
    times = p99(beside) / p99(alone)
    gone = f"the server closed {len(lasted)} slow connections, each after at most {max(lasted, default=0):.1f} s"
    note = f"p99 is {times:.2f} times the p99 without slow clients; {gone}"
    yield load.row(load.case("open", "beside", f"{count:,} slow clients", MIXED), beside, note)


def p99(done: Sequence[Measured]) -> float:
    """Of all latencies, in ms."""
    return float(np.percentile(np.concatenate([samples.latencies_ms for samples, _ in done]), 99))


def soak(load: Load) -> Iterator[Row]:
    """Closed loop for long: whether the memory grows."""
    if not load.config.soak_s:
        return
    samples, watch = load.closed(MIXED, load.config.soak_s, SOAK_CLIENTS)
    note = "memory was not measured"
    if watch:
        slope, upper = slope_per_hour(np.array(watch.seconds), np.array(watch.rss_mb))
        note = f"memory trend {slope:+.0f} MB/h, at most {upper:+.0f} MB/h with 95 % confidence"
    case = load.case("closed", "soak", f"{SOAK_CLIENTS} clients", MIXED)
    yield load.row(case, [(samples, watch)], note)
