"""Who does not read what it asked for is cut off."""

import asyncio
from typing import Protocol

WRITE_S = 10.0
"""In every so many seconds what waits to be read must be read at `BYTES_S`, or to its end."""
BYTES_S = 50_000


class Writer(Protocol):
    """The part of a transport that is watched."""

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken yet."""

    def abort(self) -> None:
        """Cut the connection."""


class WriteGuard:
    """The one timer over what is sent on a connection."""

    def __init__(self, transport: Writer, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._timer: asyncio.TimerHandle | None = None
        self._unread = 0

    def restart(self) -> None:
        """From now on the client has so long for what waits; nothing runs where nothing does."""
        self.stop()
        self._unread = self._transport.get_write_buffer_size()
        if self._unread:
            self._timer = self._loop.call_later(WRITE_S, self._check)

    def start(self) -> None:
        """The same, unless it runs."""
        if not self._timer:
            self.restart()

    def stop(self) -> None:
        """The connection is gone."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        """Whether the client has read enough since; a little moves between two kernels even if it reads nothing."""
        unread = self._transport.get_write_buffer_size()
        if unread and self._unread - unread < BYTES_S * WRITE_S:
            self._transport.abort()
        else:
            self.restart()
