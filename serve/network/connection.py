"""Bytes from a socket in, requests out, for clients that keep up: who sends or reads too slowly is hung up on.

uvicorn by itself waits without end for a first byte, a header, a body or a reader, and does not exit meanwhile.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serve.errors import body_for
from serve.network.heads import whole_lines, without_upgrade
from serve.network.lingering import LingeringTransport
from serve.network.refused import OnRefused, RefusedRequest, last_answer
from serve.network.write_guard import BYTES_S, WriteGuard

HEAD_S = 5.0
HEAD_BYTES = 16_384
HEAD_FIELDS = 100
BODY_S = 10.0
"""In every so many seconds of a body, those bytes must come that `BYTES_S` gives."""
CHECK_S = 2.0
"""The same once the server ends; and how often a limit is looked at again that had to wait for something else."""
PIPELINED = 16


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits on time, rate and size of what a client sends, and on the time it takes to read.

    While a head is read, `_guard` ends the connection unless the head is complete by then; while a body is read, unless
    it comes fast enough. Between requests uvicorn's own keep-alive timer runs.
    """

    url = b""
    """Of the last request that was read; uvicorn sets it when one begins."""
    _guard: asyncio.TimerHandle | None = None
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
    _began = 0.0
    """When the head began to come."""
    _refused_early = False
    """Whether the request whose body comes was, before the application saw it."""
    on_refused: OnRefused = staticmethod(lambda _: uuid.uuid4().hex)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The head of the first request is due."""
        self._lingering = LingeringTransport(transport, self.loop, lambda: self._in_body)
        self._write_guard = WriteGuard(transport, self.loop)
        super().connection_made(self._lingering)  # type: ignore[arg-type]
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """No timer outlives its connection, and nothing more is written to it."""
        self._set_guard(None)
        self._write_guard.stop()
        self._lingering.forget()
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
        """Whether this request has been refused at once, so that the application need not see it."""
        return False

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
        super().on_response_complete()  # which may begin with the next request
        self._write_guard.restart()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets the error form as well."""
        self._refuse(400, "malformed_request", "this is not a valid HTTP request")

    def shutdown(self) -> None:
        """The server ends: a body that is on its way may go on as long as it comes."""
        if self._lingering.lingers:
            self._lingering.close_now()
        elif self._in_body:
            self._expect_body(CHECK_S)
        elif self._in_head and self._is_idle:  # it was let in, and its request may be on its way
            self._set_guard(CHECK_S, self._end_idle)
            return
        super().shutdown()

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        super().pause_writing()
        self._write_guard.restart()

    def resume_writing(self) -> None:
        """It does again; what is left must be read too."""
        self._write_guard.restart()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """No request came after an answer."""
        self._end_idle()

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
            body = body_for(self.url.decode("latin-1"), code, message)
            self.transport.write(last_answer(status, body, request_id))
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
        self._write_guard.start()
        self._lingering.close_now()

    def _set_guard(self, seconds: float | None, act: Callable[[], object] | None = None) -> None:
        """At most one timer watches over what is received."""
        if self._guard:
            self._guard.cancel()
        self._guard = self.loop.call_later(seconds, act) if seconds is not None and act else None
