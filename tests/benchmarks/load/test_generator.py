"""The load generator against servers that stall, refuse, lie and hang up on purpose."""

import asyncio
import itertools
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from benchmarks.config import BenchConfig
from benchmarks.load.corpus import Entry, write_index
from benchmarks.load.generator import Job, arrivals
from benchmarks.load.samples import Outcome
from benchmarks.scenarios import recovery, run_job
from benchmarks.targets.servers import TargetError, existing
from tests.benchmarks.servers import answer, serving


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file, known to be red."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "000.jpg").write_bytes(b"picture")
    write_index([Entry(file="000.jpg", size="tiny", answer={"red": 0.9, "blue": 0.1})], folder)
    return folder


def job(base: str, corpus: Path, **changes: object) -> Job:
    values = {"base": base, "model": "tiny", "protocol": "predict", "corpus": str(corpus), "patience_s": 5}
    return Job(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_stall_shows_in_an_open_loop_and_hides_in_a_closed_one(corpus: Path, tmp_path: Path) -> None:
    """Coordinated omission: a closed loop stops asking while the server stalls, and so counts the stall once."""
    asked, turn = 0, asyncio.Lock()

    async def stalls_for_a_second(_: web.Request) -> web.Response:
        nonlocal asked
        async with turn:
            asked += 1
            if asked == 50:
                await asyncio.sleep(1)
            return answer()

    with serving(stalls_for_a_second) as base:
        closed = run_job(job(base, corpus, seconds=2, clients=1), tmp_path)
        asked = 0
        opened = run_job(job(base, corpus, seconds=2, phases=[(100, 2)]), tmp_path)
    assert np.percentile(closed.latencies_ms, 99) < 200
    assert np.percentile(opened.latencies_ms, 90) > 400  # half of the requests were due in that second
    assert closed.latencies_ms.max() > 900


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(), Outcome.OK),
        (answer(probability=0.9005), Outcome.OK),
        (answer("blue"), Outcome.WRONG),
        (answer("green"), Outcome.WRONG),
        (answer(probability=0.8), Outcome.WRONG),
        (web.Response(text="red"), Outcome.WRONG),
        (web.json_response([1]), Outcome.WRONG),
        (web.Response(status=429), Outcome.SHED),
        (web.Response(status=503), Outcome.SHED),
        (web.Response(status=504), Outcome.TIMEOUT),
        (web.Response(status=500), Outcome.ERROR),
    ],
    ids=range(11),
)
def test_every_answer_is_judged(corpus: Path, tmp_path: Path, reply: web.Response, expected: Outcome) -> None:
    body, status, kind = reply.body, reply.status, reply.content_type
    first = [True]

    async def handler(_: web.Request) -> web.Response:
        if first:  # one right answer, so that the server counts as alive
            first.clear()
            return answer()
        return web.Response(body=body, status=status, content_type=kind)

    with serving(handler) as base:
        samples = run_job(job(base, corpus, seconds=0.2, clients=1), tmp_path)
    assert set(samples.rows["outcome"][1:].tolist()) == {expected}
    assert len(samples.latencies_ms) == (len(samples.rows) if expected == Outcome.OK else 1)


def test_a_target_that_wants_a_key_gets_it(corpus: Path, tmp_path: Path) -> None:
    file = tmp_path / "key.txt"
    file.write_text("a key\nof one line\n")
    headers = BenchConfig(bundle=tmp_path, api_key_file=file).headers

    async def locked(request: web.Request) -> web.Response:
        return answer() if request.headers.get("Authorization") == "Bearer a key" else web.Response(status=401)

    with serving(locked) as base:
        samples = run_job(job(base, corpus, seconds=0.2, clients=1, headers=headers), tmp_path)
        with existing(base, "predict", headers)(tmp_path, "tiny", tmp_path) as target:
            assert target.first_answer(b"picture").status_code == 200
    assert samples.count(Outcome.OK) == len(samples.rows) > 0


@pytest.mark.parametrize("obedient", [True, False])
def test_clients_that_are_refused_wait_only_if_they_obey(corpus: Path, tmp_path: Path, *, obedient: bool) -> None:
    refusals = itertools.count(-1)  # one right answer, so that the server counts as alive

    async def refuses(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "5"}) if next(refusals) >= 0 else answer()

    with serving(refuses) as base:
        samples = run_job(job(base, corpus, seconds=0.5, clients=1, obedient=obedient), tmp_path)
    assert (samples.count(Outcome.SHED) > 1) is not obedient


def test_a_server_that_hangs_is_a_timeout(corpus: Path, tmp_path: Path) -> None:
    async def hangs(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return answer()

    with serving(hangs) as base:
        samples = run_job(job(base, corpus, seconds=0.1, clients=2, patience_s=0.5), tmp_path)
    assert samples.count(Outcome.TIMEOUT) == len(samples.rows) == 2
    assert samples.throughput == 0


def test_a_server_that_is_not_there_is_said_to_be(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"http://127.0.0.1:9 does not answer any request; is the server running\?"):
        run_job(job("http://127.0.0.1:9", corpus, seconds=0.2, clients=1), tmp_path)


def test_the_servers_own_stages_are_kept(corpus: Path, tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        reply = answer()
        reply.headers["Server-Timing"] = (
            'decode;dur=1.50, queue;dur=0.25, inference;dur=20.00, total;dur=22, batch;desc="3", mode;desc="cpu fp32"'
        )
        return reply

    with serving(handler) as base:
        row = run_job(job(base, corpus, seconds=0.2, clients=1), tmp_path).rows[0]
    assert [row[name] for name in ("decode_ms", "queue_ms", "inference_ms", "batch")] == [1.5, 0.25, 20, 3]


def test_arrivals_are_poisson_in_each_phase() -> None:
    due = np.array(arrivals([(50, 100), (200, 100)], seed=1))
    calm, storm = due[due < 100], due[due >= 100]
    assert len(calm) == pytest.approx(5000, rel=0.05)
    assert len(storm) == pytest.approx(20000, rel=0.05)
    gaps = np.diff(calm)
    assert np.std(gaps) == pytest.approx(np.mean(gaps), rel=0.05)  # exponential gaps
    assert arrivals([(50, 1)], seed=2) != arrivals([(50, 1)], seed=3)


def test_recovery_is_when_the_last_slow_request_was_due(corpus: Path, tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return answer()

    with serving(handler) as base:
        samples = run_job(job(base, corpus, seconds=2, phases=[(100, 2)]), tmp_path)
    before, after = samples.between(0, 1), samples.between(1, 2)
    for part in (before, after):  # whatever else this machine did meanwhile
        part.rows["done"] = part.rows["due"] + 0.01
    assert recovery(before, after) == (0.0, True)
    after.rows["done"][after.rows["due"] < 0.5] += 10
    took, over = recovery(before, after)
    assert took == pytest.approx(0.45, abs=0.05)
    assert over
    after.rows["done"] += 10
    assert recovery(before, after) == (1.0, False)
