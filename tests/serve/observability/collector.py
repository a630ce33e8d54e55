"""A collector of OpenTelemetry spans, for tests to wait for what a server sends."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Collector:
    """Takes spans over OTLP/HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, Any] = {}
        self._arrived = threading.Condition()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.env = {ENDPOINT: f"http://127.0.0.1:{self._http.server_port}", "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _take(self, body: bytes) -> None:
        with self._arrived:
            for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = values(sent.resource.attributes)
                self.spans += [span for scope in sent.scope_spans for span in scope.spans]
            self._arrived.notify_all()

    def of(self, request_id: str) -> dict[str, Span]:
        """The spans of one request, once all are here; the request's own, under "request", is sent last."""

        def request() -> Span | None:
            return next((span for span in self.spans if [request_id] in values(span.attributes).values()), None)

        with self._arrived:
            found = self._arrived.wait_for(request, timeout=30)
            assert found is not None
            inside = {span.name: span for span in self.spans if span.parent_span_id == found.span_id}
            return {"request": found, **inside}

    def close(self) -> None:
        """Leave the port."""
        self._http.shutdown()
        self._http.server_close()


def values(attributes: Any) -> dict[str, Any]:
    """A span's attributes as Python's values."""
    return {item.key: plain(item.value) for item in attributes}


def plain(value: Any) -> Any:
    """One of them, or a list of them."""
    if value.HasField("array_value"):
        return [plain(entry) for entry in value.array_value.values]
    return getattr(value, value.WhichOneof("value"))
