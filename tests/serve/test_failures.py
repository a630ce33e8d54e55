"""A session that crashes or is too slow, and a client that hangs up: the server says so, and lives where it can."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from serve.health import Health
from serve.observability.timing import Timing
from tests.commands import RunningServer
from tests.serve.stubborn import StubbornSession, serving


@pytest.fixture
def session(bundle: Path) -> StubbornSession:
    return StubbornSession((bundle / "model.onnx").read_bytes())


@asynccontextmanager
async def asking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        yield client


async def until(condition: str, client: httpx.AsyncClient) -> None:
    """Wait until a line of the metrics matches."""
    async with asyncio.timeout(30):
        while not re.search(condition, (await client.get("/metrics")).text):
            await asyncio.sleep(0)


def test_a_crash_in_the_session_is_500_without_details_and_the_server_lives(
    bundle: Path, session: StubbornSession, red_jpeg: bytes
) -> None:
    async def scenario() -> None:
        health = Health()
        async with serving(bundle, session, health) as app, asking(app) as client:
            session.crashes = 1
            first = await client.post("/predict", content=red_jpeg)
            second = await client.post("/predict", content=red_jpeg)
            metrics = (await client.get("/metrics")).text
        assert first.status_code == 500
        assert first.json()["error"]["code"] == "internal_error"
        assert "secret" not in first.text
        assert second.json()["predictions"][0]["label"] == "red"
        assert 'requests_total{route="/predict",status="500"} 1.0' in metrics
        assert re.search(r'errors_total\{code="internal_error",model="tiny",version=".+"\} 1.0', metrics)
        assert health.ready

    asyncio.run(scenario())


def test_a_session_that_is_broken_for_good_ends_the_server(
    bundle: Path, session: StubbornSession, red_jpeg: bytes
) -> None:
    async def scenario() -> None:
        health = Health()
        async with serving(bundle, session, health) as app, asking(app) as client:
            session.crashes = 2
            assert (await client.post("/predict", content=red_jpeg)).status_code == 500
            async with asyncio.timeout(30):
                while (await client.get("/ping")).status_code != 503:
                    await asyncio.sleep(0)
            assert (await client.post("/predict", content=red_jpeg)).status_code == 500
        assert "out of memory" in str(health.failure)

    asyncio.run(scenario())


@asynccontextmanager
async def overloaded(bundle: Path, session: StubbornSession, picture: bytes) -> AsyncIterator[httpx.AsyncClient]:
    """A server whose next picture would wait too long; those that it has accepted are answered at the end."""
    async with serving(bundle, session, Health(), batch_s=4.0, max_wait_ms=5000) as app, asking(app) as client:
        session.gate.clear()
        accepted = [asyncio.create_task(client.post("/predict", content=picture)) for _ in range(2)]
        await until(r"waiting_images\{.*\} 1.0", client)
        yield client
        session.gate.set()
        assert [(await answer).status_code for answer in accepted] == [200, 200]


PICTURES = ("/predict", "/annotate", "/predictions/tiny", "/v2/models/tiny/infer")


def test_every_route_for_pictures_refuses_before_it_looks_at_the_request_and_no_other_does(
    bundle: Path, session: StubbornSession, red_jpeg: bytes
) -> None:
    async def scenario() -> None:
        async with overloaded(bundle, session, red_jpeg) as client:
            refused = [await client.post(f"{path}?top_k=no", content=b"?") for path in PICTURES]
            others = [await client.get(path) for path in ("/v2/models/tiny", "/v2/models/tiny/ready", "/models")]
            metrics = (await client.get("/metrics")).text
        assert [answer.status_code for answer in (*refused, *others)] == [429] * 4 + [200] * 3
        assert [set(answer.json()) for answer in refused] == [{"error"}] * 4
        assert isinstance(refused[-1].json()["error"], str)  # the protocol's own form
        assert all(f'route="{path}",status="429"' in metrics for path in PICTURES[:2])
        assert re.search(r'errors_total\{code="overloaded",model="tiny",version=".+"\} 4.0', metrics)

    asyncio.run(scenario())


def test_who_would_wait_too_long_is_429_before_the_body_is_read(
    bundle: Path, session: StubbornSession, red_jpeg: bytes
) -> None:
    async def scenario() -> None:
        async with overloaded(bundle, session, red_jpeg) as client:
            refused = await client.post("/predict", content=b"not even a picture", headers={"Expect": "100-continue"})
            metrics = (await client.get("/metrics")).text
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] in {"1", "2", "3"}
        assert refused.headers["Connection"] == "close"
        assert "decode" not in refused.headers["Server-Timing"]
        assert re.search(r"predicted_wait_seconds\{.*\} [567]\.\d+", metrics)

    asyncio.run(scenario())


@pytest.mark.parametrize("told", ["200", "900"])
def test_who_can_not_be_answered_in_time_is_504_without_waiting_for_it(
    bundle: Path, session: StubbornSession, red_jpeg: bytes, told: str
) -> None:
    async def scenario() -> None:
        async with serving(bundle, session, Health()) as app, asking(app) as client:
            answer = await client.post("/predict", content=red_jpeg, headers={"X-Request-Timeout-Ms": told})
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
        assert session.runs == 0

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_session_that_hangs_is_504_at_the_deadline(bundle: Path, session: StubbornSession, red_jpeg: bytes) -> None:
    async def scenario() -> None:
        async with serving(bundle, session, Health()) as app, asking(app) as client:
            session.gate.clear()
            answer = await client.post("/predict", content=red_jpeg, headers={"X-Request-Timeout-Ms": "3000"})
            session.gate.set()
        assert answer.status_code == 504
        assert session.runs == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "soon", "٣", "9999999999", ""])
def test_a_senseless_timeout_is_422(server: RunningServer, red_jpeg: bytes, given: str) -> None:
    headers = {b"X-Request-Timeout-Ms": given.encode()}
    answer = httpx.post(f"{server.url}/predict", content=red_jpeg, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_parameter")


def test_a_client_that_has_left_is_not_computed(bundle: Path, session: StubbornSession, red_jpeg: bytes) -> None:
    async def scenario() -> None:
        async with serving(bundle, session, Health()) as app, asking(app) as client:
            session.gate.clear()
            first = asyncio.create_task(client.post("/predict", content=red_jpeg))
            async with asyncio.timeout(30):
                while session.runs == 0:
                    await asyncio.sleep(0)
            leave = asyncio.Event()
            leaving = asyncio.create_task(ask_and_leave(app, red_jpeg, leave))
            await until(r"waiting_images\{.*\} 1.0", client)
            leave.set()
            await leaving
            await until(r'requests_total\{route="/predict",status="499"\} 1.0', client)
            session.gate.set()
            assert (await first).status_code == 200
            assert (await client.post("/predict", content=red_jpeg)).status_code == 200
        assert session.runs == 2

    asyncio.run(scenario())


async def ask_and_leave(app: FastAPI, body: bytes, leave: asyncio.Event) -> None:
    """A request whose client hangs up when told."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        pass

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": None,
        "server": None,
    }
    await app(scope, receive, send)


def test_a_client_that_hangs_up_leaves_no_stack_trace(bundle: Path) -> None:
    running = RunningServer(bundle, "--drain-ms", "0")
    address = urlsplit(running.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")

    def hung_up() -> bool:
        metrics = httpx.get(f"{running.url}/metrics").text
        return re.search(r'requests_total\{route="/predict",status="499"\} 1\.0', metrics) is not None

    while not hung_up():  # pytest-timeout ends a server that never notices
        pass
    assert running.stop() == (0, "")


def test_the_time_limit_counts_from_the_head_and_not_anew_at_each_step(
    bundle: Path, session: StubbornSession, red_jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = partial(Timing, started=time.perf_counter() - 60)
    monkeypatch.setattr("serve.rest.middleware.Timing", long_ago)

    async def scenario() -> None:
        async with serving(bundle, session, Health(), batch_s=0.001) as app, asking(app) as client:
            for route in ("/predict", "/annotate"):
                assert (await client.post(route, content=red_jpeg)).status_code == 504
            assert session.runs == 0

    asyncio.run(scenario())
