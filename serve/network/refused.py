"""Requests that end in the connection, before the application has seen them."""

import json
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from typing import Any, NamedTuple, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE


class RefusedRequest(NamedTuple):
    """A request that ends here, before the application has seen it; `began` is a moment of `time.perf_counter`."""

    status: int
    code: str
    client: str
    headers: Sequence[tuple[bytes, bytes]]
    began: float


OnRefused = Callable[[RefusedRequest], str]


class Refusal(Protocol):
    """An answer as Starlette has it."""

    status_code: int
    body: bytes | memoryview

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Its fields."""


OnHead = Callable[[MutableMapping[str, Any], float], Refusal | None]
"""ASGI's scope of a request and the moment when it began in; its refusal out, if it need not go to the application."""


def answer_bytes(status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes | memoryview) -> bytes:
    """An answer as it is sent."""
    return STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n" + body


def last_answer(status: int, body: dict[str, Any], request_id: str) -> bytes:
    """The last answer on a connection, as it is sent."""
    data = json.dumps(body).encode()
    fields = {
        "content-type": "application/json",
        "content-length": str(len(data)),
        "connection": "close",
        "x-request-id": request_id,
    }
    return answer_bytes(status, ((name.encode(), value.encode()) for name, value in fields.items()), data)
