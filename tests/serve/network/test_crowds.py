"""Clients that do not wait as they are told, against a real server that has too much to do."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from serve.network.crowd import CrowdProtocol
from serve.network.put_off import PutOff
from serve.network.refusal_rate import BURST, FIRST_PER_S, PER_S, RefusalRate
from tests.serve.overloaded import ASK, Overloaded, answer_in


@pytest.fixture
def no_refusals_left(overloaded: Overloaded) -> None:
    """So many were refused that those who are now must wait."""
    protocol = overloaded.server.config.http_protocol_class
    assert issubclass(protocol, CrowdProtocol)
    protocol.refusals._room = -1e6


@pytest.fixture
def overloaded(bundle: Path, red_jpeg: bytes) -> Iterator[Overloaded]:
    with Overloaded(bundle, red_jpeg) as server:
        yield server


def test_a_refusal_below_the_application_says_and_counts_what_the_applications_does(overloaded: Overloaded) -> None:
    with overloaded.connect() as below, overloaded.connect() as above:
        below.sendall(overloaded.ask(b"X-Request-Id: one\r\n"))
        above.sendall(overloaded.ask(b"X-Request-Id: one\r\nExpect: 100-continue\r\n"))
        answers = [answer_in(connection) for connection in (below, above)]
    fields = [
        {line.partition(b":")[0].lower() for line in answer.split(b"\r\n\r\n")[0].splitlines()} for answer in answers
    ]
    assert fields[1] - fields[0] == {b"connection"}  # who waits for "100 Continue" may not send its body any more
    assert fields[0] <= fields[1]
    assert all(b"x-request-id: one" in answer and b'"code":"overloaded"' in answer for answer in answers)
    assert 'requests_total{route="/predict",status="429"} 2.0' in overloaded.metrics
    assert re.search(r'errors_total\{code="overloaded",model="tiny",version=".+"\} 2.0', overloaded.metrics)


@pytest.mark.usefixtures("no_refusals_left")
def test_a_client_that_does_not_wait_is_not_heard_before_it_should_have_come(
    overloaded: Overloaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.network.crowd.LONGEST_S", 0.5)
    with overloaded.connect() as below, overloaded.connect() as above:
        # What has to be decoded is left to the application.
        for connection, query in ((below, b""), (above, b"?model=%74iny")):
            asked = time.monotonic()
            connection.sendall(overloaded.ask(query=query))
            assert int(re.findall(rb"(?i)retry-after: (\d+)", answer_in(connection))[0]) > 1
            connection.sendall(overloaded.ask(query=query))
            assert answer_in(connection).startswith(b"HTTP/1.1 429")
            assert time.monotonic() - asked >= 0.5


@pytest.mark.usefixtures("no_refusals_left")
def test_a_body_behind_a_refusal_is_taken_before_its_client_is_kept_waiting(
    overloaded: Overloaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with overloaded.connect() as connection:
        monkeypatch.setattr("serve.network.crowd.LONGEST_S", 0.1)
        connection.sendall(ASK % (b"", b"", 8_000_000, b"x" * 8_000_000))
        assert answer_in(connection).startswith(b"HTTP/1.1 429")
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer_in(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.usefixtures("no_refusals_left")
def test_who_asks_on_a_connection_after_another_was_refused_is_answered_once_there_is_room(
    overloaded: Overloaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.network.crowd.LONGEST_S", 300)
    with overloaded.connect() as connection:
        connection.sendall(overloaded.ask())
        assert answer_in(connection).startswith(b"HTTP/1.1 429")
        connection.sendall(overloaded.ask())
        overloaded.session.gate.set()
        assert answer_in(connection).startswith(b"HTTP/1.1 200")


def test_a_few_who_do_not_wait_are_refused_at_once(overloaded: Overloaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.network.crowd.LONGEST_S", 300)
    with overloaded.connect() as connection:
        for _ in range(20):
            connection.sendall(overloaded.ask())
            assert answer_in(connection).startswith(b"HTTP/1.1 429")


def test_many_who_are_held_back_come_in_one_after_another_and_soon_all() -> None:
    crowded, asked, came, sizes = True, 0, list[int](), [0]

    def is_crowded() -> bool:
        nonlocal asked
        asked += 1
        return crowded

    async def scenario() -> None:
        nonlocal crowded
        put_off = PutOff(is_crowded)
        for number in range(20):
            put_off.hold(number, partial(came.append, number))
        put_off.forget(3)
        while asked < 2:
            await asyncio.sleep(0)
        assert came == []
        crowded = False
        while len(came) < 19:
            sizes.extend([len(came)] if len(came) > sizes[-1] else [])
            await asyncio.sleep(0)

    asyncio.run(scenario())
    assert came == [number for number in range(20) if number != 3]
    assert sizes == [0, 1, 3, 7, 15]


def test_new_connections_are_accepted_only_as_fast_as_they_may_be_refused(overloaded: Overloaded) -> None:
    crowd, began = int(BURST) + 100, time.monotonic()
    with ExitStack() as stack:
        for _ in range(crowd):
            connection = stack.enter_context(overloaded.connect())
            connection.sendall(overloaded.ask(b"Connection: close\r\n"))
        assert answer_in(connection).startswith(b"HTTP/1.1 429")
        assert time.monotonic() - began >= 50 / FIRST_PER_S  # some come in together, before the first was refused
        assert httpx.get(f"{overloaded.url}/ping", timeout=20).status_code == 200
    assert f'requests_total{{route="/predict",status="429"}} {crowd}.0' in overloaded.metrics


def test_the_room_for_refusals_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("serve.network.refusal_rate.time.monotonic", lambda: now)
    rate = RefusalRate(PER_S)
    for _ in range(int(BURST) + 5):
        rate.refused()
    assert rate.room == -5
    now += 10 / PER_S
    assert rate.room == pytest.approx(5)
    now += 1e6
    assert rate.room == BURST
