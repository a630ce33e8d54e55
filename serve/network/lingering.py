"""A connection's end that does not take its last answer along.

A socket that is closed with bytes unread resets the connection, and what was said last may be lost on its way. So where
a client still sends, only our direction is closed, and what it sends is dropped until it has read that and closes too.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

LINGER_S = 30.0
SILENCE_S = 2.0
"""A client that sends nothing for so long has read what there is."""
LINGER_BYTES = 64_000_000
"""No more than so many bytes are dropped, behind an answer or while the connection ends."""


class LingeringTransport:
    """A transport whose `close` waits for a client that `still_sends`, within `LINGER_S` and `LINGER_BYTES`."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, still_sends: Callable[[], bool]
    ) -> None:
        self._transport, self._loop, self._still_sends = transport, loop, still_sends
        self._until: float | None = None
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    @property
    def lingers(self) -> bool:
        """Whether what comes is dropped."""
        return self._until is not None

    def is_closing(self) -> bool:
        """Whether nothing more may be written."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """Close, once the client has read what it was told."""
        if self.lingers:
            return
        if self._transport.is_closing() or not self._still_sends():
            self._transport.close()
            return
        self._until = time.monotonic() + LINGER_S
        self._transport.resume_reading()
        if self._transport.can_write_eof():  # TLS can't
            self._transport.write_eof()
        self._wait()

    def close_now(self) -> None:
        """Close, whatever the client still sends."""
        self.forget()
        self._transport.close()

    def forget(self) -> None:
        """The connection is gone."""
        if self._timer:
            self._timer.cancel()

    def drop(self, count: int) -> None:
        """So many bytes came that nobody reads."""
        self._dropped += count
        if self._dropped > LINGER_BYTES:
            self.close_now()
        elif self.lingers:
            self._wait()

    def forgive(self) -> None:
        """A body has come to its end; the next one on this connection counts anew."""
        self._dropped = 0

    def _wait(self) -> None:
        self.forget()
        left = (self._until or 0.0) - time.monotonic()
        self._timer = self._loop.call_later(max(0.0, min(SILENCE_S, left)), self.close_now)
