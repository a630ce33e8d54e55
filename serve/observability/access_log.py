"""Requests and what became of them in, lines of JSON on stdout out; who stops reading them never stops the server."""

import contextlib
import json
import logging
import os
import queue
import sys
import threading
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener

from serve.observability.record import RequestRecord
from serve.saying import WRITING

LINES = 10_000
CLOSE_S = 1.0


class _DroppingHandler(QueueHandler):
    """Drops lines while nobody reads them."""

    def enqueue(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(queue.Full):
            self.queue.put_nowait(record)


class _Listener(QueueListener):
    """Ends even when the queue is full."""

    def __init__(self, lines: "queue.Queue[logging.LogRecord | None]", handler: logging.Handler) -> None:
        super().__init__(lines, handler)
        self._lines = lines

    def enqueue_sentinel(self) -> None:
        self._lines.put(None)


class _Stdout(logging.Handler):
    """Writes past sys.stdout, whose lock Python wants at its end, when a write may still wait for a reader."""

    def __init__(self) -> None:
        super().__init__()
        self._descriptor = sys.stdout.fileno()

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError), WRITING:  # its reader may have gone: the next line is tried again
            os.write(self._descriptor, f"{record.getMessage()}\n".encode())


class AccessLog:
    """Writes in a thread of its own."""

    def __init__(self) -> None:
        lines: queue.Queue[logging.LogRecord | None] = queue.Queue(LINES)
        self._logger = logging.Logger("access")
        self._logger.addHandler(_DroppingHandler(lines))
        self._listener = _Listener(lines, _Stdout())
        self._listener.start()

    def write(self, record: RequestRecord) -> None:
        """One line."""
        stages = {f"{name}_ms": round(1000 * seconds, 2) for name, seconds in record.timing.stages.items()}
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": record.request_id,
            "client": record.client,
            "method": record.method or "other",
            "route": record.route or "unmatched",
            "status": record.status,
            **({"error": record.error} if record.error else {}),
            **record.timing.model._asdict(),
            **stages,
        }
        self._logger.info(json.dumps(line))

    def close(self) -> None:
        """Write what is left, unless nobody reads it."""
        closing = threading.Thread(target=self._listener.stop, daemon=True)
        closing.start()
        closing.join(CLOSE_S)
