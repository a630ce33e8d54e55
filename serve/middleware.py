"""What happens around every request: it gets an id, is timed, counted, and maybe logged and traced."""

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.access_log import AccessLog
from serve.life import Life
from serve.metrics import ServerMetrics
from serve.timing import Timing
from serve.tracing import Tracing

REQUEST_ID = "X-Request-Id"
USABLE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class Observe:
    """Counts answers by route and status; a request that ends in an exception counts as 500.

    Every answer has `Server-Timing` and its request's id; while the server is leaving, it also asks its client to
    connect anew, which finds another server.
    """

    def __init__(
        self, app: ASGIApp, metrics: ServerMetrics, life: Life, log: AccessLog | None, tracing: Tracing | None = None
    ) -> None:
        self.app, self.metrics, self.life, self.log, self.tracing = app, metrics, life, log, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, expects = 500, "expect" in Headers(scope=scope)
        scope["request_id"] = request_id = id_of(scope)
        scope["timing"] = timing = Timing()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["Server-Timing"], headers[REQUEST_ID] = timing.header, request_id
                # Who waits for "100 Continue" may not send its body any more, and something else in its place.
                if self.life.leaving or (status >= 400 and expects):
                    headers["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, receive, observe)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.on_request(route, status, timing.model, timing.total_s)
            if self.log:
                self.log.write(scope, request_id, status, timing)
            if self.tracing:
                self.tracing.write(scope, request_id, status, timing)


def id_of(scope: Scope) -> str:
    """The id that the client gave, if it is one that can't upset a log, or a new one."""
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if USABLE_ID.fullmatch(given) else uuid.uuid4().hex
