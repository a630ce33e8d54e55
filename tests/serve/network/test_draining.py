"""Whoever was let in before the server ended is answered; nobody is let in who would not be."""

import select
import socket
from pathlib import Path

import pytest

from serve.network.accepting import PacedServer
from serve.network.listening import bind, turn_away
from tests.commands import RunningServer
from tests.serve.network.sockets import connect
from tests.serve.overloaded import Overloaded, answer_in


def begin_to_connect(address: tuple[str, int]) -> socket.socket:
    """Without waiting for it; on one machine it has succeeded by then, if it can."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex(address)
    return connection


def is_connected(connection: socket.socket) -> bool:
    return select.select([], [connection], [], 0)[1] == [connection]


@pytest.fixture
def may_turn_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if not turn_away(listener):
            pytest.skip("this system does not let us filter what comes to a port")


@pytest.mark.usefixtures("may_turn_away")
def test_who_is_turned_away_is_not_connected_and_who_came_before_is_heard() -> None:
    with bind("127.0.0.1", 0) as listener:
        listener.listen()
        early = begin_to_connect(listener.getsockname())
        turn_away(listener)
        late = begin_to_connect(listener.getsockname())
        with early, late:
            assert (is_connected(early), is_connected(late)) == (True, False)
            accepted, _ = listener.accept()
            with accepted:
                early.sendall(b"hello")
                assert accepted.recv(5) == b"hello"


@pytest.mark.usefixtures("may_turn_away")
def test_nobody_is_connected_between_the_last_who_is_accepted_and_the_close(
    bundle: Path, red_jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    came_late, connected = list[socket.socket](), list[bool]()
    honest = PacedServer.close

    class Listener(socket.socket):
        def close(self) -> None:
            came_late.append(begin_to_connect(busy.address))
            connected.append(is_connected(came_late[-1]))
            super().close()

    def close(self: PacedServer) -> None:
        if self.is_serving():
            self._listener = Listener(fileno=self._listener.detach())
        honest(self)

    monkeypatch.setattr(PacedServer, "close", close)
    with Overloaded(bundle, red_jpeg) as busy:
        pass
    came_late[0].close()
    assert connected == [False]


def test_a_kept_connection_between_two_requests_is_closed_and_holds_up_nothing(bundle: Path) -> None:
    running = RunningServer(bundle, "--drain-ms", "0")
    with connect(running) as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer_in(connection).startswith(b"HTTP/1.1 200")
        assert running.stop() == (0, "")
        assert connection.recv(1) == b""
