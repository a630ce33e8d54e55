"""`python -m benchmarks.load.generator JOB SAMPLES`: one measurement, in a process of its own.

A job says whom to ask, with what, and how: a closed loop of clients that each ask again when they have their answer,
or an open loop whose requests are due at times drawn beforehand, whatever the server does.
"""

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import uvloop

from benchmarks.load.corpus import read_corpus
from benchmarks.load.protocols import PROTOCOLS, ProtocolName, is_right
from benchmarks.load.samples import DTYPE, STAGES, Outcome

STAGE = re.compile(r'(\w+);(?:dur|desc)="?([\d.]+)')


@dataclass(frozen=True, kw_only=True)
class Job:
    """One measurement: a closed loop of `clients`, or an open loop of `phases`, each a rate per second and seconds."""

    base: str
    model: str
    protocol: ProtocolName
    corpus: str
    seconds: float
    clients: int = 0
    phases: Sequence[tuple[float, float]] = ()
    seed: int = 0
    patience_s: float = 30
    headers: Mapping[str, str] = field(default_factory=dict)
    """What every request says besides its picture."""
    obedient: bool = True
    """Whether the clients of a closed loop wait when they are told to come again later."""
    tolerance: float = 1e-3


class Generator:
    """Sends a job's requests and keeps what became of each."""

    def __init__(self, job: Job, session: aiohttp.ClientSession) -> None:
        self.job, self.session = job, session
        self.protocol = PROTOCOLS[job.protocol]
        self.url = self.protocol.url(job.base, job.model)
        self.entries = read_corpus(Path(job.corpus))
        self.files = [(Path(job.corpus) / entry.file).read_bytes() for entry in self.entries]
        self.bodies = [self.protocol.write(data) for data in self.files]
        self.order = itertools.cycle(np.random.default_rng(job.seed).permutation(len(self.files)).tolist())
        self.rows: list[tuple[float | int, ...]] = []
        self.begin = 0.0

    @property
    def now(self) -> float:
        """Seconds since the measurement began."""
        return time.perf_counter() - self.begin

    async def run(self) -> None:
        """Send everything and wait for every answer."""
        self.begin = time.perf_counter()
        if self.job.phases:
            await self.open_loop()
        else:
            await asyncio.gather(*(self.client() for _ in range(self.job.clients)))

    async def client(self) -> None:
        """One client of the closed loop; told to come again later, it does, or asks again at once."""
        while (due := self.now) < self.job.seconds:
            later_s = await self.ask(due)
            if self.job.obedient:
                await asyncio.sleep(max(0.0, min(later_s, self.job.seconds - self.now)))

    async def open_loop(self) -> None:
        """Poisson arrivals: the gaps are exponential, and no answer is waited for before the next request."""
        asked: list[asyncio.Task[float]] = []
        for due in arrivals(self.job.phases, self.job.seed):
            await asyncio.sleep(due - self.now)
            asked.append(asyncio.create_task(self.ask(due)))
        await asyncio.gather(*asked)

    async def ask(self, due: float) -> float:
        """Send one picture, wait for the answer, and judge it; returns in how many seconds to come again."""
        picture, sent, timing, later = next(self.order), self.now, "", ""
        try:
            async with self.session.post(self.url, **self.body(picture)) as response:
                body = await response.read()
                timing, later = response.headers.get("Server-Timing", ""), response.headers.get("Retry-After", "")
            outcome = self.judge(response.status, body, picture)
        except TimeoutError:
            outcome = Outcome.TIMEOUT
        except (aiohttp.ClientError, OSError):
            outcome = Outcome.ERROR
        stages = dict(STAGE.findall(timing))
        measured = [float(stages.get(name, "nan")) for name in (*STAGES, "batch")]
        self.rows.append((due, sent, self.now, outcome, picture, *measured))
        return float(later) if later.isdecimal() else 0.0

    def body(self, picture: int) -> dict[str, Any]:
        """A picture as this protocol takes it."""
        if not self.protocol.field:
            content, headers = self.bodies[picture]
            return {"data": content, "headers": headers}
        form = aiohttp.FormData()
        form.add_field(self.protocol.field, self.files[picture], filename="picture.jpg", content_type="image/jpeg")
        return {"data": form}

    def judge(self, status: int, body: bytes, picture: int) -> Outcome:
        """What an answer is worth."""
        if status in (429, 503):
            return Outcome.SHED
        if status == 504:
            return Outcome.TIMEOUT
        if status != 200:
            return Outcome.ERROR
        right = is_right(self.protocol, body, self.entries[picture].answer, self.job.tolerance)
        return Outcome.OK if right else Outcome.WRONG


def arrivals(phases: Sequence[tuple[float, float]], seed: int) -> list[float]:
    """When the requests of an open loop are due, in seconds from the beginning: Poisson in each phase."""
    random, begin, due = np.random.default_rng(seed), 0.0, list[float]()
    for rate, seconds in phases:
        # Given their number, the arrivals of a Poisson process are uniform (Ross, Stochastic Processes, 2.3).
        moments = np.sort(random.uniform(begin, begin + seconds, random.poisson(rate * seconds)))
        due.extend(moments.tolist())
        begin += seconds
    return due


async def generate(job: Job) -> Generator:
    """Do one job."""
    timeout = aiohttp.ClientTimeout(total=job.patience_s)
    # No limit: a request that is due must not wait for another's connection.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=job.headers) as session:
        generator = Generator(job, session)
        await generator.run()
    return generator


def main(job_file: Path, samples_file: Path) -> None:
    """Read the job, do it, write the samples and the generator's own share of a processor."""
    job = Job(**json.loads(job_file.read_text(encoding="utf-8")))
    began, cpu = time.perf_counter(), time.process_time()
    generator = uvloop.run(generate(job))
    used = (time.process_time() - cpu) / (time.perf_counter() - began)
    np.savez(samples_file, rows=np.array(generator.rows, DTYPE), generator_cpu=used)


def write_job(job: Job, path: Path) -> None:
    """The job as `main` reads it."""
    path.write_text(json.dumps(asdict(job)), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except KeyboardInterrupt:  # the one who started this says so
        sys.exit(130)
