"""Clients that read slowly or not at all, and long answers, against the protocol with an application of few words."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event, Thread

import psutil
import pytest
import uvicorn
from starlette.requests import ClientDisconnect
from starlette.requests import Request as Incoming
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from serve.network.connection import GuardedProtocol
from serve.network.write_guard import WRITE_S
from tests.serve.network.sockets import HEAD, everything
from tests.torchserve import wait_until


def test_a_refusal_reaches_who_sends_slowly(long_answers: tuple[str, int]) -> None:
    """Longer than a body that somebody reads may stall, but not silently."""
    with socket.create_connection(long_answers, timeout=20) as connection:
        connection.sendall(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        began = time.monotonic()
        while time.monotonic() - began < 1.5:
            connection.sendall(b"x")
        assert everything(connection).startswith(b"HTTP/1.1 403")


ANSWER_BYTES = 4_000_000
MAY_ANSWER = Event()


async def answer_at_length(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body, as our routes do, and answer; half a body gets no answer, /wait one after `MAY_ANSWER`."""
    if scope.get("path") == "/refused":
        await PlainTextResponse("no", 403, {"Connection": "close"})(scope, receive, send)
        return
    if scope.get("path") == "/wait":
        await asyncio.to_thread(MAY_ANSWER.wait)
    with contextlib.suppress(ClientDisconnect):
        await Incoming(scope, receive).body()
        await PlainTextResponse("x" * ANSWER_BYTES)(scope, receive, send)


@pytest.fixture
def long_answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """The address of a server that answers whatever is asked with `ANSWER_BYTES` at once, and soon tires of waiting."""
    monkeypatch.setattr("serve.network.connection.HEAD_S", 0.5)
    monkeypatch.setattr("serve.network.connection.BODY_S", 0.5)
    monkeypatch.setattr("serve.network.connection.CHECK_S", 0.2)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        answer_at_length, http=GuardedProtocol, timeout_keep_alive=1, lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join()


def test_a_client_that_pauses_while_it_reads_gets_its_whole_answer(long_answers: tuple[str, int]) -> None:
    ask = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    nexts = [b"", b"GET /ping HTT", HEAD + b"Content-Length: 1000000\r\n\r\nhalf", ask]
    with ExitStack() as stack:
        readers = [stack.enter_context(socket.create_connection(long_answers, timeout=20)) for _ in nexts]
        for reader, following in zip(readers, nexts, strict=True):
            reader.sendall(ask + following)
        idle = stack.enter_context(socket.create_connection(long_answers, timeout=20))
        idle.sendall(ask)
        assert len(everything(idle)) > ANSWER_BYTES  # until its time for a next request is over, and theirs too
        said = [everything(reader) for reader in readers]
    assert [len(answer) // ANSWER_BYTES for answer in said] == [1, 1, 1, 2]


def test_a_request_that_waits_for_its_turn_is_not_late(long_answers: tuple[str, int]) -> None:
    """Its body is not read before, and its time begins then."""
    body = b"x" * 200_000
    second = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection(long_answers, timeout=20) as reader:
        reader.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" + second)
        with socket.create_connection(long_answers, timeout=20) as idle:
            idle.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
            everything(idle)  # until its time, and so that of the second request, were it running, is over
        MAY_ANSWER.set()
        sending = Thread(target=reader.sendall, args=(body,))
        sending.start()
        assert len(everything(reader)) // ANSWER_BYTES == 2
        sending.join()


@pytest.mark.slow
def test_a_client_that_reads_nothing_is_cut_off(long_answers: tuple[str, int]) -> None:
    with socket.create_connection(long_answers, timeout=20) as reader:
        reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        address = reader.getsockname()

        def is_connected() -> bool:
            return any(
                entry.raddr == address and entry.status == psutil.CONN_ESTABLISHED
                for entry in psutil.Process().net_connections("tcp")
            )

        wait_until(is_connected)
        wait_until(lambda: not is_connected(), seconds=2 * WRITE_S)
