"""Requests and what became of them in, OpenTelemetry spans out, where the variables of its SDK ask for them.

Without them its SDK is not loaded (FastAPI loads the interface where it finds it): its packages are imported where they
are used.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from contract import UserError
from serve.observability.record import REQUEST_ID, RequestRecord
from serve.observability.timing import Timing
from serve.saying import say

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Span

SERVICE = "resnet-service"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
CLOSE_S = 1.0
Attributes = dict[str, str | int | list[str]]
# Of a server, by the conventions for gRPC; the others are its caller's.
GRPC_FAILURES = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


class Tracing:
    """One span for each request and one for each of its stages; a thread of the SDK sends them, no answer waits."""

    def __init__(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("serve")
        self._extract = TraceContextTextMapPropagator().extract

    def write(self, record: RequestRecord) -> None:
        """The spans of a request that ends now. Like the access log, they have its route and not its path."""
        from opentelemetry.trace import SpanKind

        end, at, timing = time.perf_counter(), _wall_clock(), record.timing
        name, attributes, failed = _describe(record)
        if timing.model.model:
            attributes |= {"model.name": timing.model.model, "model.version": timing.model.version}
        caller = self._extract(record.headers)
        span = self._tracer.start_span(name, caller, SpanKind.SERVER, attributes, start_time=at(timing.started))
        self._write_stages(span, timing, at)
        if failed:
            _fail(span, record.status)
        span.end(at(end))

    def _write_stages(self, request: "Span", timing: Timing, at: Callable[[float], int]) -> None:
        from opentelemetry.trace import set_span_in_context

        inside = set_span_in_context(request)
        for stage in timing.way:
            attributes = {} if stage.batch is None else {"batch.size": stage.batch}
            span = self._tracer.start_span(stage.name, inside, attributes=attributes, start_time=at(stage.start))
            span.end(at(stage.end))

    def close(self) -> None:
        """Send what is left, unless that takes long: the SDK would wait half a minute for a collector."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_S)


class _SayOnce(logging.Handler):
    """The first complaint of the SDK as one line, since it would come with every batch, some with a stack trace."""

    def __init__(self) -> None:
        super().__init__()
        self._said = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._said:
            self._said = True
            text = " ".join(record.getMessage().split())
            say(
                f"warning: tracing: {text} (reported only once; requests are answered as usual)",
                sys.stderr,
            )


def start_tracing() -> Tracing | None:
    """Tracing, where it is asked for. Raises `UserError` for variables that the SDK refuses."""
    if not _wanted():
        return None
    _quiet_the_sdk()
    try:
        return Tracing()
    except ValueError as error:
        raise UserError(
            f"an environment variable of OpenTelemetry is not valid: {error}; correct the OTEL_* variables"
        ) from error


def _wanted() -> bool:
    def is_set(name: str, value: str) -> bool:
        return os.environ.get(name, "").strip().lower() == value

    off = is_set("OTEL_SDK_DISABLED", "true") or is_set("OTEL_TRACES_EXPORTER", "none")
    return not off and any(os.environ.get(name) for name in ENDPOINTS)


def _quiet_the_sdk() -> None:
    """Let only those parts speak whose complaints no client can cause: a malformed traceparent is its sender's own."""
    logging.getLogger("opentelemetry").propagate = False
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    handler = _SayOnce()
    for part in ("opentelemetry.sdk", "opentelemetry.exporter"):
        logging.getLogger(part).addHandler(handler)


def _resource() -> "Resource":
    """Who sends: as the variables name it, or by our own name."""
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource

    named = OTELResourceDetector().detect().attributes.get(SERVICE_NAME)
    return Resource.create({SERVICE_NAME: named or SERVICE})


def _describe(record: RequestRecord) -> "tuple[str, Attributes, bool]":
    """The span's name, its attributes by OpenTelemetry's semantic conventions, and whether the server has failed."""
    if isinstance(record.status, str):
        return _describe_call(record)
    attributes: Attributes = {
        "http.request.method": record.method or "_OTHER",
        "http.response.status_code": record.status,
        f"http.response.header.{REQUEST_ID}": [record.request_id],
    }
    if record.route:
        attributes["http.route"] = record.route
    return f"{record.method or 'HTTP'} {record.route or 'unmatched'}", attributes, record.status >= 500


def _describe_call(record: RequestRecord) -> "tuple[str, Attributes, bool]":
    name = (record.route or "").lstrip("/")
    attributes: Attributes = {
        "rpc.system.name": "grpc",
        "rpc.method": name,
        "rpc.response.status_code": record.status,
        f"rpc.response.metadata.{REQUEST_ID}": [record.request_id],
    }
    return name, attributes, record.status in GRPC_FAILURES


def _fail(span: "Span", status: int | str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", str(status))


def _wall_clock() -> Callable[[float], int]:
    """From moments of `time.perf_counter` to ns since 1970, as both clocks stand now."""
    offset = time.time_ns() - time.perf_counter_ns()
    return lambda moment: offset + round(1e9 * moment)
