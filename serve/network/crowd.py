"""Connections of a crowd: who must be refused is so before the application sees it, and not heard while it hammers.

Each refusal that the application wrote would take its time from those that are answered.
"""

from collections.abc import Callable
from typing import Any

from serve.network.connection import GuardedProtocol
from serve.network.put_off import LONGEST_S, PutOff
from serve.network.refusal_rate import FIRST_PER_S, PER_S, RefusalRate
from serve.network.refused import OnHead, OnRefused, Refusal, answer_bytes


def crowd_protocol(on_refused: OnRefused, on_head: OnHead, is_crowded: Callable[[], bool]) -> "type[CrowdProtocol]":
    """The protocol for uvicorn; `on_refused` hears of requests that no application sees, and gives each an id.

    `on_head` may refuse a request before the application sees it, which it records itself; `is_crowded` says whether
    whoever comes now would be refused.
    """
    own = {"on_refused": staticmethod(on_refused), "on_head": staticmethod(on_head)}
    own |= {"refusals": RefusalRate(PER_S), "first_refusals": RefusalRate(FIRST_PER_S)}
    own |= {"put_off": PutOff(is_crowded)}
    return type("ServerProtocol", (CrowdProtocol,), own)


class CrowdProtocol(GuardedProtocol):
    """The guarded protocol, which also refuses early and holds back who does not wait."""

    _answered = 0
    """Requests that were answered, or refused."""
    _put_off_s = 0.0
    """In how many seconds the client was told to come again, if it is kept to that."""
    on_head: OnHead = staticmethod(lambda _scope, _began: None)
    refusals = RefusalRate(PER_S)
    first_refusals = RefusalRate(FIRST_PER_S)
    """Those of each connection's first request."""
    put_off = PutOff(lambda: False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for it any more."""
        self.put_off.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes; what it waited for may have been the rest of a body."""
        super().data_received(data)
        if not self._lingering.lingers:
            self._put_off()

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
        self.transport.write(answer_bytes(refusal.status_code, fields, refusal.body))
        self._write_guard.restart()
        self._note_answer(float(dict(refusal.raw_headers).get(b"retry-after", 0)))
        if ends:
            self.transport.close()

    def _note_answer(self, put_off_s: float) -> None:
        """The client has its answer, or was told to come again in so many seconds."""
        self._answered += 1
        if put_off_s:
            (self.refusals if self._answered > 1 else self.first_refusals).refused()
        self._put_off_s = put_off_s if self.refusals.room < 0 else 0.0

    def on_response_complete(self) -> None:
        """The answer is written; it may have told the client when to come again."""
        scope: dict[str, Any] = self._active.scope if self._active else {}  # type: ignore[assignment]
        super().on_response_complete()  # which may begin with the next request
        self._note_answer(scope.get("put_off_s", 0.0))
        self._put_off()

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
