"""Clients that send too slowly, too much or no HTTP at all, against a real server."""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import httpx
import psutil
import pytest

from tests.commands import RunningServer
from tests.serve.network.sockets import HEAD, connect, error_in, everything
from tests.torchserve import wait_until


@pytest.fixture
def own_server(bundle: Path) -> Iterator[RunningServer]:
    running = RunningServer(bundle)
    yield running
    running.process.kill()
    running.process.communicate()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n", (400, "malformed_request")),
        (b"GET /ping HTTP/1.1\r\nno colon here\r\n\r\n", (400, "malformed_request")),
        (b"GET /ping HTTP/1.1\r\n" + b"X-One: 1\r\n" * 101 + b"\r\n", (431, "header_too_large")),
        (b"GET /ping HTTP/1.1\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n", (431, "header_too_large")),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", (400, "malformed_request")),
        (HEAD + b"Content-Length: -5\r\n\r\n", (400, "malformed_request")),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400, "malformed_request")),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", (400, "malformed_request")),
    ],
    ids=["tls", "field", "fields", "field size", "two lengths", "negative", "length and chunks", "chunk size"],
)
def test_what_is_no_request_is_told_so_and_hung_up_on(
    server: RunningServer, sent: bytes, expected: tuple[int, str]
) -> None:
    with connect(server) as connection:
        connection.sendall(sent)
        assert error_in(everything(connection)) == expected


def test_what_is_refused_under_v2_is_told_so_in_the_protocols_form(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /v2/models HTTP/1.1\r\n" + b"X-One: 1\r\n" * 101 + b"\r\n")
        head, _, body = everything(connection).partition(b"\r\n\r\n")
    assert head.split()[1] == b"431"
    assert json.loads(body) == {"error": "the header has more than 16384 bytes or 100 fields"}


def test_a_head_without_end_is_cut(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\nX-Endless: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(10_000):
                connection.sendall(b"x" * 10_000)
            pytest.fail("100 MB of header were read")


def test_a_body_is_read_although_its_client_would_rather_speak_another_protocol(
    server: RunningServer, red_jpeg: bytes
) -> None:
    head = HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUPGRADE: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
    with connect(server) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(red_jpeg))
        connection.sendall(red_jpeg)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("cut", [1, 30, 60, 75, 90, 100, 120])
def test_another_protocol_is_not_taken_up_however_the_head_comes_in_pieces(
    server: RunningServer, red_jpeg: bytes, cut: int
) -> None:
    head = HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(red_jpeg)
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head[:cut])
        httpx.get(f"{server.url}/ping")  # by then it has come
        connection.sendall(head[cut:])
        connection.sendall(red_jpeg)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_an_address_without_end_is_cut(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert error_in(everything(connection)) == (431, "header_too_large")


def test_a_refusal_reaches_who_sends_its_whole_body_first(server: RunningServer) -> None:
    for megabytes in (21, 60):
        request = Request(f"{server.url}/predict", data=bytes(megabytes * 1_000_000), method="POST")
        with pytest.raises(HTTPError) as refused:
            urlopen(request, timeout=60)
        with refused.value as answer:
            assert (answer.code, json.load(answer)["error"]["code"]) == (413, "request_too_large")


def test_bodies_behind_refusals_are_counted_one_by_one(server: RunningServer) -> None:
    """A client that stays connected and is refused often has sent much in all."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        ports = {
            client.post("/nowhere", content=bytes(15_000_000))
            .extensions["network_stream"]
            .get_extra_info("client_addr")
            for _ in range(6)
        }
    assert len(ports) == 1


def test_a_body_without_end_behind_its_refusal_is_cut(server: RunningServer) -> None:
    for path in (b"/nowhere", b"/predict"):
        with connect(server) as connection:
            connection.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(1000):
                    connection.sendall(bytes(1_000_000))
                pytest.fail("a gigabyte was read behind an answer")


def test_too_many_requests_at_once_are_hung_up_on(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        with contextlib.suppress(ConnectionError):
            assert everything(connection).count(b"HTTP/1.1 200") < 200


def test_a_trailer_without_end_is_cut(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Endless: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(10_000):
                connection.sendall(b"x" * 10_000)
            pytest.fail("100 MB of trailer were read")


@pytest.mark.slow
def test_a_body_that_comes_after_its_refusal_leaves_no_connection_open(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        said = b""
        while not said.endswith(b"}}"):
            said += connection.recv(65536)
        assert said.startswith(b"HTTP/1.1 404")
        connection.sendall(b"0123456789")
        assert connection.recv(65536) == b""


def test_pipelined_requests_are_answered_in_order(server: RunningServer) -> None:
    with connect(server) as connection:
        last = b"GET /no HTTP/1.1\r\nConnection: close\r\n\r\n"
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + last)
        said = everything(connection)
    assert [part.split()[0] for part in said.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"404"]


def send_nothing(connection: socket.socket) -> None:
    pass


def send_half_a_head(connection: socket.socket) -> None:
    connection.sendall(HEAD)


def send_half_a_body(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n" + b"half")


def read_nothing(connection: socket.socket) -> None:
    """Ask for more than fits between here and the server."""
    connection.sendall(b"GET /swagger/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n" * 8)


SLOW: list[Callable[[socket.socket], None]] = [send_nothing, send_half_a_head, send_half_a_body, read_nothing]


@pytest.mark.slow
def test_a_thousand_slow_clients_are_hung_up_on_and_harm_nobody(own_server: RunningServer, red_jpeg: bytes) -> None:
    process = psutil.Process(own_server.process.pid)

    def open_sockets() -> int:
        return sum(entry.status == psutil.CONN_ESTABLISHED for entry in process.net_connections("tcp"))

    with ExitStack() as stack, httpx.Client(base_url=own_server.url, timeout=60) as honest:
        before = honest.post("/predict", content=red_jpeg)
        for number in range(1000):
            SLOW[number % 4](stack.enter_context(connect(own_server)))
        begun = time.monotonic()
        statuses = []
        while open_sockets() > 1:  # the honest one's
            statuses.append(honest.post("/predict", content=red_jpeg).status_code)
            assert time.monotonic() - begun < 20
        assert set(statuses) == {200}
        assert honest.post("/predict", content=red_jpeg).json() == before.json()


@pytest.mark.slow
@pytest.mark.parametrize("slow", SLOW)
def test_a_slow_client_does_not_hold_up_the_end(
    own_server: RunningServer, slow: Callable[[socket.socket], None]
) -> None:
    with connect(own_server) as connection:
        slow(connection)
        begun = time.monotonic()
        assert own_server.stop() == (0, "")
        assert time.monotonic() - begun < 16


@pytest.mark.slow
def test_a_slow_body_is_told_why(own_server: RunningServer) -> None:
    with connect(own_server) as connection:
        send_half_a_body(connection)
        assert error_in(everything(connection)) == (408, "too_slow")


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="limits of another process are set on Linux alone")
def test_connections_beyond_the_limit_of_open_files_are_accepted_once_others_are_closed(bundle: Path) -> None:
    running = RunningServer(bundle, "--drain-ms", "0")
    process = psutil.Process(running.process.pid)
    httpx.get(f"{running.url}/ping")
    limit = process.num_fds() + 5
    process.rlimit(psutil.RLIMIT_NOFILE, (limit, limit))
    with ExitStack() as first:
        for _ in range(20):
            first.enter_context(connect(running))
        wait_until(lambda: process.num_fds() == limit, seconds=20)
        last = connect(running)
        last.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    with last:
        assert last.recv(4096).startswith(b"HTTP/1.1 200")
    assert running.stop() == (0, "")
