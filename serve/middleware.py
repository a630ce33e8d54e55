"""What happens around every request: it is counted and timed, whatever becomes of it."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.metrics import ServerMetrics


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

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, observe)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.on_request(route, status, time.perf_counter() - started)
