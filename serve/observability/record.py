"""One record where a request ends, over whatever protocol and however early; everything that counts is told of it."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from serve.observability.metrics import ServerMetrics
from serve.observability.timing import Timing

REQUEST_ID = "x-request-id"
USABLE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}


@dataclass
class Ending:
    """How a request ends, as far as that is known while it is under way."""

    status: int | str = 500
    """HTTP's number, or gRPC's name."""
    code: str | None = None
    """What went wrong, as in the error's body."""


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
    code: str | None = None
    """What went wrong, as in the error's body."""
    timing: Timing
    headers: Mapping[str, str]
    """By names in small letters, for the caller's trace."""

    @property
    def failed(self) -> bool:
        """Whether it has no answer but an error."""
        return self.status != "OK" if isinstance(self.status, str) else self.status >= 400

    @property
    def error(self) -> str | None:
        """The code of what went wrong, of whatever failed: what a library refuses has none of its own."""
        return self.code or "http_error" if self.failed else None


class RequestListener(Protocol):
    """Who is told of every request."""

    def write(self, record: RequestRecord) -> None:
        """Take note; must not keep the event loop."""

    def close(self) -> None:
        """The server ends."""


class Recorder:
    """Where every request ends."""

    def __init__(self, metrics: ServerMetrics, listeners: Sequence[RequestListener] = ()) -> None:
        self.metrics, self._listeners = metrics, listeners

    def end(self, record: RequestRecord) -> None:
        """Count it in the metrics and in its model's statistics, and tell the log and the traces."""
        timing = record.timing
        self.metrics.on_request(record.route or "unmatched", record.status, timing.model, timing.total_s)
        if record.error:
            self.metrics.errors.labels(*timing.model, record.error).inc()
        else:
            self.metrics.on_answer(timing.model, timing.read_s, timing.total_s)
        if timing.statistics:
            timing.statistics.on_request(timing.total_s, failed=record.failed)
        for listener in self._listeners:
            listener.write(record)

    def close(self) -> None:
        """The server ends."""
        for listener in self._listeners:
            listener.close()


def choose_id(headers: Mapping[str, str]) -> str:
    """The id that the client gave, if it is one that can't upset a log, or a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if USABLE_ID.fullmatch(given) else uuid.uuid4().hex
