"""Many such requests at once, from a process of their own, and what became of each."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.hostile.bodies import Request

PIECE = 1 << 16
PATIENCE_S = 60.0
RETRY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What a client heard, and how long after it began to send."""

    status: int
    """0 where it heard nothing."""
    seconds: float


def flood(base: str, request: Request, connections: int, hold_s: float) -> list[Ending]:
    """The same request on so many connections at once; who hears nothing leaves after `hold_s`."""

    async def all_at_once() -> list[Ending]:
        return list(await asyncio.gather(*(ask(base, request, hold_s) for _ in range(connections))))

    return asyncio.run(all_at_once())


def repeat(base: str, request: Request, clients: int, seconds: float) -> list[Ending]:
    """The same request by so many clients again and again; who is told to come again later does."""
    end = time.perf_counter() + seconds

    async def client() -> list[Ending]:
        found = list[Ending]()
        while time.perf_counter() < end:
            found.append(await ask(base, request, PATIENCE_S))
            if found[-1].status == 429:
                await asyncio.sleep(RETRY_S)
        return found

    async def all_at_once() -> Sequence[list[Ending]]:
        return await asyncio.gather(*(client() for _ in range(clients)))

    return [ending for endings in asyncio.run(all_at_once()) for ending in endings]


async def ask(base: str, request: Request, patience_s: float) -> Ending:
    """Send a request on a new connection, and read the answer to its end."""
    address, began, status = urlsplit(base), time.perf_counter(), 0
    try:
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            sending = asyncio.ensure_future(_send(writer, request))
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                status = int(head.split(b" ", 2)[1])
                await _drop_body(reader, head)
            finally:
                sending.cancel()
                writer.close()
    except (TimeoutError, OSError, EOFError):
        pass  # it heard what it heard
    return Ending(status=status, seconds=time.perf_counter() - began)


async def _send(writer: asyncio.StreamWriter, request: Request) -> None:
    writer.write(request.head)
    body = memoryview(request.body)[: len(request.body) - request.lacking]
    for begin in range(0, len(body), PIECE):
        writer.write(body[begin : begin + PIECE])
        await writer.drain()


async def _drop_body(reader: asyncio.StreamReader, head: bytes) -> None:
    """An answer whose length is not said ends with its connection or in chunks; here none does."""
    left = next(int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
    while left:
        piece = await reader.read(min(left, PIECE))
        left = left - len(piece) if piece else 0
