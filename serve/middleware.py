"""What happens around every request: it is counted and timed, whatever becomes of it, and says where its time went."""

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.metrics import ServerMetrics
from serve.timing import Timing


class CountRequests:
    """Counts answers by route and status; a request that ends in an exception counts as 500."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        scope["timing"] = timing = Timing()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                value = timing.header(time.perf_counter() - started)
                MutableHeaders(scope=message)["Server-Timing"] = value
            await send(message)

        try:
            await self.app(scope, receive, observe)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.on_request(route, status, time.perf_counter() - started)
