"""What happens around every request: it is counted and timed, whatever becomes of it, and says where its time went."""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.metrics import ServerMetrics
from serve.timing import Timing


class CountRequests:
    """Counts answers by route and status; a request that ends in an exception counts as 500.

    While the server is `leaving`, every answer asks its client to connect anew, which finds another server.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics, leaving: Callable[[], bool]) -> None:
        self.app, self.metrics, self.leaving = app, metrics, leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        scope["timing"] = timing = Timing()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["Server-Timing"] = timing.header
                if self.leaving():
                    headers["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, receive, observe)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.on_request(route, status, timing.total_s)
