"""What happens around every gRPC call: its key is checked, it is timed, counted and told of, its errors get a status.

As `serve/rest/` has it for HTTP.
"""

import asyncio
import contextlib
import math
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError

from contract import ImageError
from contract.request_error import RequestError
from serve.auth import Keys
from serve.budget import Account
from serve.dataplane import DataPlane
from serve.deadline import Deadline
from serve.errors import deadline_exceeded, malformed_request
from serve.observability.record import REQUEST_ID, RequestRecord, choose_id
from serve.observability.timing import Timing
from serve.saying import say

SERVICE = "/inference.GRPCInferenceService/"
HEALTH = "/grpc.health.v1.Health/"
# The calls that are answered, each with the path that asks the same over REST and so wants the same key.
PATHS = {
    f"{HEALTH}Check": "/v2/health/ready",
    f"{HEALTH}Watch": "/v2/health/ready",
    f"{SERVICE}ServerLive": "/v2/health/live",
    f"{SERVICE}ServerReady": "/v2/health/ready",
    f"{SERVICE}ServerMetadata": "/v2",
    **{f"{SERVICE}Model{name}": "/v2/models/" for name in ("Ready", "Metadata", "Config", "Statistics", "Infer")},
}
REPOSITORY = {f"{SERVICE}Repository{name}": "/v2/repository/" for name in ("Index", "ModelLoad", "ModelUnload")}
# What is not here is INVALID_ARGUMENT.
STATUS = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    500: grpc.StatusCode.INTERNAL,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
MESSAGE_S = 60.0
"""How long a message may take to come."""
LAST_S = 2.0
"""How long, once the server ends, it still waits for a message that is on its way."""


class Call:
    """A call that is being answered: what its request is to a route over HTTP."""

    def __init__(self, method: str, headers: Mapping[str, str], context: Any) -> None:
        self.method, self.headers, self.timing = method, headers, Timing()
        self.request_id = choose_id(headers)
        self._context = context
        self.account: Account | None = None

    @property
    def remaining_s(self) -> float:
        """How much longer its client waits."""
        given: float | None = self._context.time_remaining()
        return math.inf if given is None else given

    def deadline(self, limit_ms: int) -> Deadline:
        """Until when to answer: a client may only shorten the limit, which begins once its message is here."""
        now = time.perf_counter()
        return Deadline(now, now + min(limit_ms / 1000, self.remaining_s))

    def hold(self, count: int) -> None:
        """So many bytes of its answer are held until that is handed on. Raises `RequestError` 429."""
        if self.account:
            self.account.take(count)

    async def receive(self) -> Any:
        """The bytes of its message, or `grpc.aio.EOF`."""
        return await self._context.read()

    async def fail(self, failure: RequestError) -> None:
        """Answer with an error."""
        headers = {name.lower(): value for name, value in (failure.headers or {}).items()}
        status = status_of(failure)
        await self._context.abort(status, failure.message, (*self._metadata, *headers.items()))

    def end(self) -> None:
        """Its answer follows."""
        self._context.set_trailing_metadata(self._metadata)

    def record(self, failure: RequestError | None) -> RequestRecord:
        """What became of it."""
        return RequestRecord(
            request_id=self.request_id,
            client=address_of(self._context.peer()),
            method="gRPC",
            route=self.method,
            status=status_of(failure).name,
            code=failure.code if failure else None,
            timing=self.timing,
            headers=self.headers,
        )

    @property
    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("server-timing", self.timing.header), (REQUEST_ID, self.request_id))


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc ships no types
    """Lets through what is answered here; anything else that the protocol's messages know is UNIMPLEMENTED."""

    def __init__(self, dataplane: DataPlane, keys: Keys) -> None:
        self._keys, self._recorder = keys, dataplane.recorder
        self._memory, self._config = dataplane.memory, dataplane.config
        self._paths = PATHS | (REPOSITORY if keys.admin else {})
        self._open: set[asyncio.Timeout] = set()

    def hurry(self) -> None:
        """The server ends: neither who is silent nor who listens for as long as it lives must hold it up."""
        now = asyncio.get_running_loop().time()
        for patience in self._open:
            patience.reschedule(now if patience.when() is None else now + LAST_S)

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        """How to answer this call; None where it is not."""
        if details.method not in self._paths:
            return None
        handler = await continuation(details)
        headers = {name: value for name, value in details.invocation_metadata if isinstance(value, str)}
        lacking = self._keys.refusal(self._paths[details.method], headers)

        async def work(call: Call) -> Any:
            if lacking is not None:
                raise RequestError(401, "unauthorized", lacking)
            with self._memory.account() as account:
                call.account = account
                message = await self._read(call, account, handler.request_deserializer)
                return message if handler.response_streaming else await handler.unary_unary(message, call)

        async def answer(_: object, context: Any) -> Any:
            return await self._answer(Call(details.method, headers, context), work)

        async def follow(_: object, context: Any) -> None:
            await self._follow(handler.unary_stream(await answer(_, context), context))

        # As a stream of one message: grpc would receive a lone one before it asks us, however long that takes, and
        # answer for one that it can't parse with the name of a class.
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(follow, response_serializer=handler.response_serializer)
        return grpc.stream_unary_rpc_method_handler(answer, response_serializer=handler.response_serializer)

    async def _follow(self, telling: Awaitable[None]) -> None:
        """Tell a client what changes until it leaves or the server ends. Its request has been recorded."""
        with contextlib.suppress(TimeoutError):
            async with self._patience(None):
                await telling

    @contextlib.asynccontextmanager
    async def _patience(self, seconds: float | None) -> AsyncIterator[None]:
        """Wait so long at most; less once the server ends. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds) as patience:
            self._open.add(patience)
            try:
                yield
            finally:
                self._open.discard(patience)

    async def _read(self, call: Call, account: Account, parse: Callable[[bytes], Any]) -> Any:
        """The call's message. Raises `RequestError`."""
        # grpc tells how long a message is only once all of it is here.
        await account.reserve(self._config.max_body_bytes, self._config.max_wait_ms / 1000)
        try:
            async with self._patience(MESSAGE_S):
                data = await call.receive()
            if data is not grpc.aio.EOF:
                account.keep(len(data))
                return parse(data)
        except TimeoutError:
            raise RequestError(
                408, "too_slow", "the message did not arrive within the time limit; send it again"
            ) from None
        except DecodeError as error:
            raise malformed_request("the message is malformed; expected a protobuf message of this method") from error
        # Of the larger one grpc has told the client itself.
        raise RequestError(
            413,
            "request_too_large",
            "the message is missing or too large; send one message, with fewer or smaller images",
        )

    async def _answer(self, call: Call, work: Callable[[Call], Awaitable[Any]]) -> Any:
        failure = response = None
        try:
            response = await work(call)
            call.end()
        except asyncio.CancelledError:
            # grpc's clock, which ends the call at its client's deadline, may be a little ahead.
            failure = deadline_exceeded() if call.remaining_s < 0.01 else RequestError(499, "client_closed_request", "")
            raise
        except Exception as error:
            failure = explain(error)
        finally:
            self._recorder.end(call.record(failure))  # before its client knows, who may look at the metrics next
        if failure:
            await call.fail(failure)
        return response


def address_of(peer: str) -> str:
    """The client's address, of what grpc calls it: ipv4:127.0.0.1:50000 or ipv6:%5B::1%5D:50000."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")


def status_of(failure: RequestError | None) -> Any:
    """The gRPC status."""
    return STATUS.get(failure.status, grpc.StatusCode.INVALID_ARGUMENT) if failure else grpc.StatusCode.OK


def explain(error: Exception) -> RequestError:
    """What an exception is to who called: no paths, stacks or class names."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, ImageError):
        return RequestError.from_image_error(error)
    say("".join(traceback.format_exception(error)).rstrip(), sys.stderr)
    return RequestError(500, "internal_error", "the server failed on this call; the server's log has the reason")
