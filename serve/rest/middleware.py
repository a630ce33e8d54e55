"""What happens around every HTTP request: it gets an id, is timed and counted; its key is checked, its body bounded."""

from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.auth import Keys
from serve.budget import BodyBudget
from serve.errors import body_for
from serve.health import Health
from serve.observability.metrics import ServerMetrics
from serve.observability.record import METHODS, REQUEST_ID, RequestListener, RequestRecord, choose_id
from serve.observability.timing import Timing


class Observe:
    """Counts answers by route and status; a request that ends in an exception counts as 500.

    Every answer has `Server-Timing` and its request's id; while the server is leaving, it also asks its client to
    connect anew, which finds another server.
    """

    def __init__(
        self, app: ASGIApp, metrics: ServerMetrics, health: Health, listeners: Sequence[RequestListener] = ()
    ) -> None:
        self.app, self.metrics, self.health, self.listeners = app, metrics, health, listeners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, given = 500, Headers(scope=scope)
        scope["request_id"] = request_id = choose_id(given)
        scope["timing"] = timing = Timing()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["Server-Timing"], headers[REQUEST_ID] = timing.header, request_id
                # Who waits for "100 Continue" may not send its body any more, and something else in its place.
                if self.health.leaving or (status >= 400 and "expect" in given):
                    headers["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, receive, observe)
        finally:
            route = getattr(scope.get("route"), "path", None)
            self.metrics.on_request(route or "unmatched", status, timing.model, timing.total_s)
            self._tell(scope, route, status, given)

    def _tell(self, scope: Scope, route: str | None, status: int, headers: Headers) -> None:
        record = RequestRecord(
            request_id=scope["request_id"],
            client=(scope.get("client") or ("",))[0],
            method=scope["method"] if scope["method"] in METHODS else "",
            route=route,
            status=status,
            timing=scope["timing"],
            headers=headers,
        )
        for listener in self.listeners:
            listener.write(record)


class RequireKeys:
    """Answers 401 unless `Authorization: Bearer` or `X-API-Key` holds the key."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self.app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or don't."""
        lacking = self._keys.refusal(scope["path"], Headers(scope=scope)) if scope["type"] == "http" else None
        if lacking is None:
            await self.app(scope, receive, send)
            return
        body = body_for(scope["path"], "unauthorized", lacking)
        refused = JSONResponse(body, 401, {"WWW-Authenticate": "Bearer", "Connection": "close"})
        await refused(scope, receive, send)


class BoundBodies:
    """Middleware: the body of each HTTP request counts against the budget from its arrival until the answer is sent."""

    def __init__(self, app: ASGIApp, budget: BodyBudget) -> None:
        self.app, self.budget = app, budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        with self.budget.account() as account:

            async def counted() -> Message:
                message = await receive()
                account.take(len(message.get("body", b"")))
                return message

            await self.app(scope, counted, send)
