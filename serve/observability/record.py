"""A request over either protocol and what became of it, as the access log and the spans tell of it."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from serve.observability.timing import Timing

REQUEST_ID = "x-request-id"
USABLE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}


@dataclass(frozen=True, kw_only=True)
class RequestRecord:
    """One request. What its client chose freely, its path and headers, is told to nobody."""

    request_id: str
    client: str
    """Its address."""
    method: str
    """HTTP's, one of `METHODS` or ""; or gRPC."""
    route: str | None
    """None where no route was found; of gRPC its service and call."""
    status: int | str
    """HTTP's number, or gRPC's name."""
    timing: Timing
    headers: Mapping[str, str]
    """By names in small letters, for the caller's trace."""


class RequestListener(Protocol):
    """Who is told of every request."""

    def write(self, record: RequestRecord) -> None:
        """Take note; must not keep the event loop."""

    def close(self) -> None:
        """The server ends."""


def choose_id(headers: Mapping[str, str]) -> str:
    """The id that the client gave, if it is one that can't upset a log, or a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if USABLE_ID.fullmatch(given) else uuid.uuid4().hex
