"""Requests that end in the connection, before the application has seen them."""

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, NamedTuple, Protocol


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
