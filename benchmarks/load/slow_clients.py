"""A server's address in, a crowd that sends or reads too slowly out, for as long as something else is measured."""

import asyncio
import contextlib
import itertools
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from urllib.parse import urlsplit

BEGUN = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
DRIP_S = 1.0
TRY_AGAIN_S = 0.1
# What the kernel takes for a client who does not read; without a bound it is megabytes.
RECEIVE_BYTES = 1 << 14
LOWEST_PRIORITY = 19

Slowness = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def _drip(begun: bytes) -> Slowness:
    """Send the beginning, and then a byte every second."""

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        hung_up = asyncio.ensure_future(reader.read())
        while not (await asyncio.wait({hung_up}, timeout=DRIP_S))[0]:
            writer.write(b"x")
        hung_up.result()

    return send


async def _read_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for much, and leave the answer lying; only writing then tells that the other side has hung up."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"GET /swagger/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    while True:
        await writer.drain()
        await asyncio.sleep(DRIP_S)
        writer.write(b"\r\n")


SLOWNESSES: tuple[Slowness, ...] = (
    _say_nothing,
    _drip(BEGUN),
    _drip(BEGUN + b"Content-Length: 1000000\r\n\r\n"),
    _read_nothing,
)


class SlowClients:
    """While entered, `count` connections, each slow in one of four ways; who is hung up on comes again."""

    def __init__(self, base: str, count: int) -> None:
        address = urlsplit(base)
        self._host, self._port, self._count = address.hostname or "", address.port or 80, count
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self.lasted_s: list[float] = []
        """How long each connection lasted that was hung up on."""

    def __enter__(self) -> "SlowClients":
        """Let them come."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send them away."""
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(self._loop)])
        self._thread.join()

    def _run(self) -> None:
        if sys.platform == "linux":  # where it is of one thread: elsewhere they would not take the server's processor
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        with contextlib.suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._all())

    async def _all(self) -> None:
        kinds = itertools.islice(itertools.cycle(SLOWNESSES), self._count)
        await asyncio.gather(*(self._again_and_again(slowness) for slowness in kinds))

    async def _again_and_again(self, slowness: Slowness) -> None:
        while True:
            try:
                await self._come(slowness)
            except OSError:  # reset, or refused: what it is about is how the others fare
                await asyncio.sleep(TRY_AGAIN_S)

    async def _come(self, slowness: Slowness) -> None:
        with socket.socket() as own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            own.setblocking(False)
            await self._loop.sock_connect(own, (self._host, self._port))
            reader, writer = await asyncio.open_connection(sock=own.dup())
        began = time.perf_counter()
        try:
            await slowness(reader, writer)
        finally:
            if not asyncio.current_task().cancelling():  # type: ignore[union-attr]
                self.lasted_s.append(time.perf_counter() - began)
            writer.transport.abort()
