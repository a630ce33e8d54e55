"""A real server that has too much to do for as long as a test wants it."""

import re
import socket
from pathlib import Path
from threading import Event, Thread
from typing import Self

import httpx

from serve.health import Health
from serve.network.draining import DrainingServer
from serve.server import configure
from tests.serve.stubborn import StubbornSession, stubborn_app
from tests.torchserve import wait_until

ASK = b"POST /predict%b HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n%bContent-Length: %d\r\n\r\n%b"


class Overloaded:
    """A server whose next picture would wait too long, until its session may answer."""

    def __init__(self, bundle: Path, picture: bytes) -> None:
        self.session, self.picture = StubbornSession((bundle / "model.onnx").read_bytes()), picture
        app, dataplane = stubborn_app(bundle, self.session, health := Health(), batch_s=60.0, max_wait_ms=70_000)
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address: tuple[str, int] = listener.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"
        settings = configure(app, dataplane)
        self.server = TellingServer(settings, health, 0.0, no_reload)
        self.thread = Thread(target=self.server.run, args=([listener],), daemon=True)

    def __enter__(self) -> Self:
        self.session.gate.clear()
        self.thread.start()
        assert self.server.listening.wait(20)
        self.accepted = [self.connect() for _ in range(2)]
        for connection in self.accepted:
            connection.sendall(self.ask())
        wait_until(lambda: re.search(r"waiting_images\{.*\} 1.0", self.metrics) is not None, seconds=20)
        return self

    def __exit__(self, *_: object) -> None:
        self.session.gate.set()
        answers = [answer_in(connection) for connection in self.accepted]
        for connection in self.accepted:
            connection.close()
        self.server.should_exit = True
        self.thread.join(20)
        assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 2

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=20)

    def ask(self, fields: bytes = b"", query: bytes = b"") -> bytes:
        return ASK % (query, fields, len(self.picture), self.picture)

    @property
    def metrics(self) -> str:
        return httpx.get(f"{self.url}/metrics", timeout=20).text


class TellingServer(DrainingServer):
    """One that need not run in the main thread, as only that may hear of signals."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.listening = Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.listen(sockets)
        self.listening.set()


async def no_reload() -> None:
    raise AssertionError


def answer_in(connection: socket.socket) -> bytes:
    """The next answer on a connection."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(re.findall(rb"(?i)content-length: (\d+)", head)[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
