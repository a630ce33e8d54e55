"""Connections are accepted while they may be refused; the others wait in the system, where they cost nothing."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from serve.network.refusal_rate import RefusalRate

AT_ONCE = 16
"""Between them the event loop does something else."""
PAUSE_S = 0.01


class PacedServer(asyncio.AbstractServer):
    """Accepts connections of a socket that listens, and makes a protocol for each."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        create_protocol: Callable[[], asyncio.Protocol],
        listener: socket.socket,
        first_refusals: RefusalRate,
        options: dict[str, Any],
    ) -> None:
        """`options` are those of `asyncio.loop.connect_accepted_socket`."""
        self._loop, self._create_protocol, self._options = loop, create_protocol, options
        self._listener, self._refusals = listener, first_refusals
        self._connecting = set[asyncio.Task[None]]()
        self._pause: asyncio.TimerHandle | None = None
        self._closed = False
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Accept those who wait in the system, which has let them in and would reset them; then close the port."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._listener)
        if self._pause:
            self._pause.cancel()
        with contextlib.suppress(OSError):
            while True:
                self._let_in()
        self._listener.close()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Where it accepts."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether it accepts, or will after a pause."""
        return not self._closed

    async def start_serving(self) -> None:
        """It does from the beginning."""

    async def serve_forever(self) -> None:
        """It does without being asked; wait until cancelled."""
        await self._loop.create_future()

    async def wait_closed(self) -> None:
        """Wait for those that were accepted and are not yet connected, as over TLS."""
        await asyncio.gather(*self._connecting)

    def _listen(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            for _ in range(min(AT_ONCE, int(self._refusals.room))):
                self._let_in()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:  # too many open files: some will be closed
            self._rest()
            return
        if self._refusals.room < 1:
            self._rest()

    def _let_in(self) -> None:
        connection, _ = self._listener.accept()
        task = self._loop.create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _rest(self) -> None:
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(PAUSE_S, self._listen)

    async def _connect(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # whoever fails at TLS, or leaves meanwhile
            await self._loop.connect_accepted_socket(self._create_protocol, connection, **self._options)
