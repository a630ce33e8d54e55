"""uvloop's event loop, less patient with who connects over TLS and then says nothing, and with crowds.

uvicorn passes no limit for the handshake on, and uvloop's own is a minute, in which each such client holds a socket.
"""

import asyncio
import socket
from typing import Any

import uvloop

from serve.network.accepting import PacedServer
from serve.network.refusal_rate import RefusalRate

HANDSHAKE_S = 5.0


class GuardedLoop(uvloop.Loop):
    """Cuts who does not finish the handshake in `HANDSHAKE_S`, and accepts what `first_refusals` has room for."""

    first_refusals: RefusalRate | None = None

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Any, *args: Any, sock: socket.socket | None = None, ssl: Any = None, **options: Any
    ) -> asyncio.AbstractServer:
        """As uvloop's."""
        if ssl:
            options.setdefault("ssl_handshake_timeout", HANDSHAKE_S)
        if sock is None or self.first_refusals is None:
            return await super().create_server(protocol_factory, *args, sock=sock, ssl=ssl, **options)
        sock.listen(options.pop("backlog"))
        return PacedServer(self, protocol_factory, sock, self.first_refusals, {"ssl": ssl, **options})
