"""Bytes from a socket in, requests out, for clients that keep up: who sends or reads too slowly is hung up on.

uvicorn by itself waits without end for a first byte, a header, a body or a reader, and does not exit meanwhile.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from serve.errors import body_for
from serve.network.heads import whole_lines, without_upgrade
from serve.network.lingering import LingeringTransport
from serve.network.put_off import LONGEST_S, PutOff
from serve.network.refusal_rate import FIRST_PER_S, PER_S, RefusalRate
from serve.network.refused import OnHead, OnRefused, Refusal, RefusedRequest

HEAD_S = 5.0
HEAD_BYTES = 16_384
HEAD_FIELDS = 100
BODY_S = 10.0
"""In every so many seconds of a body, those bytes must come that `BYTES_S` gives."""
CHECK_S = 2.0
"""The same once the server ends; and how often a limit is looked at again that had to wait for something else."""
WRITE_S = 10.0
"""In every so many seconds what waits to be read must be read at `BYTES_S`, or to its end."""
BYTES_S = 50_000
PIPELINED = 16


def guarded_protocol(on_refused: OnRefused, on_head: OnHead, is_crowded: Callable[[], bool]) -> "type[GuardedProtocol]":
    """The protocol for uvicorn; `on_refused` hears of requests that no application sees, and gives each an id.

    `on_head` may refuse a request before the application sees it, which it records itself; `is_crowded` says whether
    whoever comes now would be refused.
    """
    own = {"on_refused": staticmethod(on_refused), "on_head": staticmethod(on_head)}
    own |= {"refusals": RefusalRate(PER_S), "first_refusals": RefusalRate(FIRST_PER_S)}
    own |= {"put_off": PutOff(is_crowded)}
    return type("ServerProtocol", (GuardedProtocol,), own)


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits on time, rate and size of what a client sends, and on the time it takes to read.

    While a head is read, `_guard` ends the connection unless the head is complete by then; while a body is read, unless
    it comes fast enough. Between requests uvicorn's own keep-alive timer runs.
    """

    url = b""
    """Of the last request that was read; uvicorn sets it when one begins."""
    _guard: asyncio.TimerHandle | None = None
    _write_guard: asyncio.TimerHandle | None = None
    _active: RequestResponseCycle | None = None
    """The request that is being answered; uvicorn's `cycle` is the last that was read, of several sent at once."""
    _in_head = False
    _in_body = False
    _received = 0
    """Bytes since the head began, or of the body since its rate was last looked at."""
    _fruitless = 0
    """Bytes since there was last some of a body: sizes of chunks, trailers."""
    _fields_size = 0
    _begun = b""
    """The line of the head that is not whole yet."""
    _unread = 0
    _began = 0.0
    """When the head began to come."""
    _answered = 0
    """Requests that were answered, or refused."""
    _refused_early = False
    """Whether the request whose body comes was, before the application saw it."""
    _put_off_s = 0.0
    """In how many seconds the client was told to come again, if it is kept to that."""
    on_refused: OnRefused = staticmethod(lambda _: uuid.uuid4().hex)
    on_head: OnHead = staticmethod(lambda _scope, _began: None)
    refusals = RefusalRate(PER_S)
    first_refusals = RefusalRate(FIRST_PER_S)
    """Those of each connection's first request."""
    put_off = PutOff(lambda: False)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The head of the first request is due."""
        self._lingering = LingeringTransport(transport, self.loop, lambda: self._in_body)
        super().connection_made(self._lingering)  # type: ignore[arg-type]
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """No timer outlives its connection, and nothing more is written to it."""
        self._set_guard(None)
        self._set_write_guard(None)
        self._lingering.forget()
        self.put_off.forget(self)
        if self._active:  # uvicorn tells only its `cycle`
            self._active.disconnected = True
            self._active.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Let uvicorn parse what comes, unless it is a head, or an end of a body, that never ends."""
        if self._lingering.lingers:
            self._set_guard(None)  # how long this may take is for the transport to say
            self._lingering.drop(len(data))
            return
        if not (self._in_head or self._in_body):
            self._begin_head()
        if self._in_head and self._received > HEAD_BYTES:
            self._refuse_head()
            return
        if self._in_head:
            self._received += len(data)
            data, self._begun = whole_lines(self._begun + data)
            data = without_upgrade(data)
        self._fruitless += len(data)
        super().data_received(data)
        if self._in_body and self._fruitless > HEAD_BYTES:
            self._refuse_head()
        self._put_off()  # it may have waited for the rest of a body

    def on_message_begin(self) -> None:
        """A request begins, perhaps in the same bytes that end the one before."""
        if len(self.pipeline) >= PIPELINED:
            self._hang_up()
            raise ValueError  # stops the parser
        if not self._in_head:
            self._begin_head()
        self._fields_size, self._refused_early = 0, False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take some of the address."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one field of the head."""
        super().on_header(name, value)
        self._count(len(name) + len(value))

    def _count(self, size: int) -> None:
        self._fields_size += size
        if self._fields_size > HEAD_BYTES or len(self.headers) > HEAD_FIELDS:
            self._refuse_head()
            raise ValueError  # stops the parser

    def on_headers_complete(self) -> None:
        """The body follows, at a reasonable rate."""
        self._in_head, self._in_body = False, True
        self._fruitless = 0
        self._expect_body(BODY_S)
        self._refused_early = self._refuse_early()
        if not self._refused_early:
            super().on_headers_complete()

    def _refuse_early(self) -> bool:
        """Whether this request is refused at once. What is unusual is for the application to judge."""
        if not self._is_idle or self.pipeline or self.parser.get_http_version() != "1.1" or b"%" in self.url:
            return False
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["path"] = self.url.partition(b"?")[0].decode("ascii", "replace")
        refusal = self.on_head(scope, self._began)
        if refusal:
            self._tell(refusal)
        return refusal is not None

    def _tell(self, refusal: Refusal) -> None:
        fields = [*self.server_state.default_headers, *refusal.raw_headers]
        if ends := not self.parser.should_keep_alive():
            fields.append((b"connection", b"close"))
        head = b"".join(b"%b: %b\r\n" % field for field in fields)
        self.transport.write(STATUS_LINE[refusal.status_code] + head + b"\r\n" + refusal.body)
        self._note_answer(float(dict(refusal.raw_headers).get(b"retry-after", 0)))
        if ends:
            self.transport.close()

    def _note_answer(self, put_off_s: float) -> None:
        """The client has its answer, or was told to come again in so many seconds; how long it reads is bounded."""
        self._set_write_guard(WRITE_S)
        self._answered += 1
        if put_off_s:
            (self.refusals if self._answered > 1 else self.first_refusals).refused()
        self._put_off_s = put_off_s if self.refusals.room < 0 else 0.0

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._active = cycle
        if self._in_body and cycle is self.cycle:  # it had to wait for its turn, and its body with it
            self._expect_body(BODY_S)
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Count what comes."""
        self._received += len(body)
        self._fruitless = 0
        if self._refused_early or self.cycle.response_complete:
            self._lingering.drop(len(body))
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is all here."""
        self._in_body = False
        self._lingering.forgive()
        # Where it was answered before its body came, that has ended uvicorn's keep-alive timer.
        self._set_guard(HEAD_S if self._is_idle else None, self._end_idle)
        if not self._refused_early:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is written; a client that does not read it is cut off."""
        scope: dict[str, Any] = self._active.scope if self._active else {}  # type: ignore[assignment]
        super().on_response_complete()  # which may begin with the next request
        self._note_answer(scope.get("put_off_s", 0.0))
        self._put_off()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets the error form as well."""
        self._refuse(400, "malformed_request", "this is not a valid HTTP request")

    def shutdown(self) -> None:
        """The server ends: a body that is on its way may go on as long as it comes."""
        if self._lingering.lingers:
            self._lingering.close_now()
        elif self._in_body:
            self._expect_body(CHECK_S)
        super().shutdown()

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        super().pause_writing()
        self._set_write_guard(WRITE_S)

    def resume_writing(self) -> None:
        """It does again; what is left must be read too."""
        self._set_write_guard(WRITE_S)
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """No request came after an answer."""
        self._end_idle()

    def _put_off(self) -> None:
        """Read nothing before the client should come again, unless there is room for it sooner."""
        busy = self._in_head or self._in_body or self.pipeline or not self._is_idle
        if self._put_off_s and not busy and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self.flow.pause_reading()
            self._set_guard(min(self._put_off_s, LONGEST_S), self._come_again)
            self.put_off.hold(self, self._come_again)

    def _come_again(self) -> None:
        self.put_off.forget(self)
        self.flow.resume_reading()
        self._set_guard(self.timeout_keep_alive, self._end_idle)

    @property
    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self._active is None or self._active.response_complete

    def _begin_head(self) -> None:
        self._in_head, self._received, self._began, self._begun = True, 0, time.perf_counter(), b""
        self._set_guard(HEAD_S, self._check_head)

    def _end_idle(self) -> None:
        """Hang up unless the client still reads an answer: how long that may take is for the write guard to say."""
        if self.transport.get_write_buffer_size():
            self._set_guard(CHECK_S, self._end_idle)
        else:
            self._hang_up()

    def _check_head(self) -> None:
        if self._is_idle:
            self._refuse_slow()
        else:  # an answer is on its way, and the head is that of the next request
            self._set_guard(CHECK_S, self._check_head)

    def _expect_body(self, seconds: float) -> None:
        """In that time so much of it must come."""
        self._received = 0
        self._set_guard(seconds, lambda: self._check_body(seconds))

    def _check_body(self, seconds: float) -> None:
        # While it is not read, because another request or its own is worked on, that is not the client's doing.
        if self._received < BYTES_S * seconds and not self.flow.read_paused:
            self._refuse_slow()
        else:
            self._expect_body(seconds)

    def _refuse_slow(self) -> None:
        self._refuse(408, "too_slow", "the request did not arrive within the time limit; send it again")

    def _refuse_head(self) -> None:
        self._refuse(431, "header_too_large", f"the header has more than {HEAD_BYTES} bytes or {HEAD_FIELDS} fields")

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer in the error form, unless that would end up in another answer, and hang up."""
        if not self.transport.is_closing() and (request_id := self._end_request(status, code)):
            body = json.dumps(body_for(self.url.decode("latin-1"), code, message)).encode()
            fields = {
                "content-type": "application/json",
                "content-length": len(body),
                "connection": "close",
                "x-request-id": request_id,
            }
            head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            self.transport.write(STATUS_LINE[status] + head.encode() + b"\r\n" + body)
        self._hang_up()

    def _end_request(self, status: int, code: str) -> str | None:
        """The id of the request that ends so; None if an answer is on its way, into which nothing may be written."""
        if self._is_idle and self._in_body:
            return None  # it was answered before its body came
        if self._is_idle:
            client = self.client[0] if self.client else ""
            headers = tuple(getattr(self, "headers", None) or ())
            refused = RefusedRequest(status, code, client, headers, self._began)
            return self.on_refused(refused)
        active = self._active
        if active is None or active is not self.cycle or not self._in_body or active.response_started:
            return None
        scope: dict[str, Any] = active.scope  # type: ignore[assignment]
        scope["hung_up"] = (status, code)
        # The application may not have begun with it.
        return str(scope.setdefault("request_id", uuid.uuid4().hex))

    def _hang_up(self) -> None:
        """Close once what was written is read; the write guard cuts off a client that does not read."""
        self._set_guard(None)
        if not self._write_guard:
            self._set_write_guard(WRITE_S)
        self._lingering.close_now()

    def _check_read(self) -> None:
        """Whether the client has read enough since; a little moves between two kernels even if it reads nothing."""
        unread = self.transport.get_write_buffer_size()
        if unread and self._unread - unread < BYTES_S * WRITE_S:
            self.transport.abort()
        elif unread:
            self._set_write_guard(WRITE_S)

    def _set_guard(self, seconds: float | None, act: Callable[[], object] | None = None) -> None:
        """At most one timer watches over what is received."""
        if self._guard:
            self._guard.cancel()
        self._guard = self.loop.call_later(seconds, act) if seconds is not None and act else None

    def _set_write_guard(self, seconds: float | None) -> None:
        """And one over what is sent."""
        if self._write_guard:
            self._write_guard.cancel()
            self._write_guard = None
        self._unread = self.transport.get_write_buffer_size() if seconds else 0
        if seconds and self._unread:
            self._write_guard = self.loop.call_later(seconds, self._check_read)
