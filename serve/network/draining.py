"""uvicorn's life: it says where it listens, once it does; on SIGTERM it is no longer ready at once, and ends later."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from types import FrameType
from typing import Any, Protocol

import uvicorn

from serve.health import Health
from serve.network.crowd import CrowdProtocol
from serve.network.event_loop import GuardedLoop
from serve.network.listening import turn_away
from serve.saying import say

SHUTDOWN_S = 20
LAST_S = 0.1
"""Who begins to connect now is turned away, while the system finishes with those who began before."""


class OtherPort(Protocol):
    """A server of another protocol in the same event loop."""

    @property
    def banner(self) -> str:
        """What to tell people of it once it listens."""

    async def start(self) -> None:
        """Listen."""

    async def leave(self) -> None:
        """It is no longer ready."""

    async def stop(self, seconds: float) -> None:
        """Take no more; what was taken has so long."""


class DrainingServer(uvicorn.Server):
    """Says where it listens, once it does; on SIGTERM stops being ready at once, and listening only after a while.

    `reload` is what SIGHUP asks for.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        health: Health,
        drain_s: float,
        reload: Callable[[], Coroutine[Any, Any, None]],
        others: Sequence[OtherPort] = (),
    ) -> None:
        super().__init__(config)
        self._health, self._drain_s, self._others = health, drain_s, others
        self._reload = reload
        self._reloading: asyncio.Task[None] | None = None
        self._end = float("inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, on every port, and say so."""
        await self.listen(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._start_reload)
            for other in self._others:
                await other.start()
                say(other.banner)
            place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            base = f"{'https' if self.config.is_ssl else 'http'}://{place}"
            say(f"Ready: {base}/predict (try it at {base}/)")

    async def listen(self, sockets: list[socket.socket] | None) -> None:
        """Accept what comes over HTTP, as fast as it can be refused."""
        loop, protocol = asyncio.get_running_loop(), self.config.http_protocol_class
        if isinstance(loop, GuardedLoop) and issubclass(protocol, CrowdProtocol):
            loop.first_refusals = protocol.first_refusals
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """All ports stop listening; what was accepted on any has the same while."""
        for other in self._others:
            # uvicorn waits for these tasks, and cancels them after `SHUTDOWN_S` with a word on stderr.
            stopping = asyncio.create_task(other.stop(SHUTDOWN_S - 1))
            self.server_state.tasks.add(stopping)
            stopping.add_done_callback(self.server_state.tasks.discard)
        await self._stop_listening(sockets or [])
        await super().shutdown(sockets)

    async def _stop_listening(self, listeners: Sequence[socket.socket]) -> None:
        """Whoever was let in is connected, so that uvicorn knows of all whom it tells that the server ends."""
        for listener in listeners:
            turn_away(listener)
        await asyncio.sleep(min(self._drain_s, LAST_S))
        for server in self.servers:
            server.close()
        for server in self.servers:
            await server.wait_closed()

    def _start_reload(self) -> None:
        self._reloading = asyncio.create_task(self._reload())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first SIGTERM begins the draining; a second one, or SIGINT, ends it."""
        if sig == signal.SIGTERM and not self._health.leaving:
            self._health.leaving = True
            self._end = time.monotonic() + self._drain_s
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Whether to end."""
        if not self._health.ready:
            for other in self._others:
                await other.leave()
        over = time.monotonic() >= self._end or self._health.failure is not None
        return await super().on_tick(counter) or over
