"""uvloop's event loop, less patient with who connects over TLS and then says nothing.

uvicorn passes no limit for the handshake on, and uvloop's own is a minute, in which each such client holds a socket.
"""

import asyncio
from typing import Any

import uvloop

HANDSHAKE_S = 5.0


class GuardedLoop(uvloop.Loop):
    """Cuts who does not finish the handshake in `HANDSHAKE_S`."""

    async def create_server(self, *args: Any, ssl: Any = None, **options: Any) -> asyncio.AbstractServer:  # type: ignore[override]
        """As uvloop's."""
        if ssl:
            options.setdefault("ssl_handshake_timeout", HANDSHAKE_S)
        return await super().create_server(*args, ssl=ssl, **options)
