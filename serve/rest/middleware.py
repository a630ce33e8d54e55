"""What happens around every HTTP request: it gets an id, is timed and counted; its key is checked, its body bounded."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.auth import Keys
from serve.budget import MemoryBudget
from serve.errors import body_for
from serve.health import Health
from serve.observability.record import METHODS, REQUEST_ID, Ending, Recorder, RequestRecord, choose_id
from serve.observability.timing import Timing

PIECE = 1 << 16


class Observe:
    """Every request ends in one record; one that ends in an exception has the status 500.

    Every answer has `Server-Timing` and its request's id; while the server is leaving, it also asks its client to
    connect anew, which finds another server.
    """

    def __init__(self, app: ASGIApp, recorder: Recorder, health: Health) -> None:
        self.app, self.recorder, self.health = app, recorder, health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given, prefix = Headers(scope=scope), scope.get("root_path", "")
        request_id = scope.setdefault("request_id", choose_id(given))
        scope["timing"], scope["ending"] = timing, ending = Timing(), Ending()

        async def observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                ending.status = message["status"]
                timing.end()  # how long its client reads is not our time
                headers = MutableHeaders(scope=message)
                headers["Server-Timing"], headers[REQUEST_ID] = timing.header, request_id
                if message["status"] == 429:  # the connection keeps its client to that
                    scope["put_off_s"] = float(headers.get("Retry-After", 0))
                # Who waits for "100 Continue" may not send its body any more, and something else in its place.
                if self.health.leaving or (message["status"] >= 400 and "expect" in given):
                    headers["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, receive, observe)
        except BaseException:
            ending.code = "internal_error"
            raise
        finally:
            self.recorder.end(_record(scope, prefix, given))


def _record(scope: Scope, prefix: str, headers: Headers) -> RequestRecord:
    """What became of a request whose paths begin with `prefix`; the connection may have ended it before us."""
    ending = Ending(*scope["hung_up"]) if "hung_up" in scope else scope["ending"]
    mounted = scope.get("root_path", "").removeprefix(prefix)
    return RequestRecord(
        request_id=scope["request_id"],
        client=(scope.get("client") or ("",))[0],
        method=scope["method"] if scope["method"] in METHODS else "",
        route=getattr(scope.get("route"), "path", None) or mounted or None,
        status=ending.status,
        code=ending.code if isinstance(ending.status, int) and ending.status >= 400 else None,
        timing=scope["timing"],
        headers=headers,
    )


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
        scope["ending"].code = "unauthorized"
        body = body_for(scope["path"], "unauthorized", lacking)
        refused = JSONResponse(body, 401, {"WWW-Authenticate": "Bearer", "Connection": "close"})
        await refused(scope, receive, send)


class BoundMemory:
    """Each HTTP request's body counts against the budget from its arrival until the answer is sent.

    So does a large answer, which its route takes from `scope["account"]`; it is handed on piece by piece, as its client
    reads it.
    """

    def __init__(self, app: ASGIApp, budget: MemoryBudget) -> None:
        self.app, self.budget = app, budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        with self.budget.account() as account:

            async def counted() -> Message:
                message = await receive()
                account.take(len(message.get("body", b"")))
                return message

            async def in_pieces(message: Message) -> None:
                body = message.get("body", b"")
                for begin in range(0, len(body) - PIECE, PIECE):
                    await send({"type": message["type"], "body": body[begin : begin + PIECE], "more_body": True})
                await send({**message, "body": body[-(len(body) % PIECE or PIECE) :]} if len(body) > PIECE else message)

            scope["account"] = account
            await self.app(scope, counted, in_pieces)


class AnswerHead:
    """HEAD is answered as GET, without the body: monitors ask so."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            scope["method"] = "HEAD"  # for who writes the answer: uvicorn counts no bytes of a body then
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        scope["method"] = "GET"
        await self.app(scope, receive, without_body)
