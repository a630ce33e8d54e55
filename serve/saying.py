"""Lines for people on stdout and stderr; nothing waits for whoever has stopped reading them.

A pipe holds 64 kB. Who writes to a full one waits until somebody reads, and with it the event loop or a load.
"""

import contextlib
import io
import logging
import os
import select
import sys
import threading
from typing import TextIO

WRITING = threading.Lock()
"""Held while something is written to stdout, by the access log too: what is free in a pipe is free for one writer."""
WAIT_S = 0.05
PIECE = select.PIPE_BUF
"""A pipe that is ready takes so many bytes at once."""


def say(text: str, stream: TextIO | None = None) -> None:
    """Print lines to `stream`, by default stdout; those are left out for which there is no room."""
    stream, line = stream or sys.stdout, f"{text}\n"
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:  # it is in memory
        stream.write(line)
        return
    if WRITING.acquire(timeout=WAIT_S):
        try:
            with contextlib.suppress(OSError):  # its reader has gone, or the disk is full
                _write(descriptor, line.encode())
        finally:
            WRITING.release()


def _write(descriptor: int, data: bytes) -> None:
    for begin in range(0, len(data), PIECE):
        if not select.select([], [descriptor], [], WAIT_S)[1]:
            return
        os.write(descriptor, data[begin : begin + PIECE])


def say_what_is_logged(logger: logging.Logger) -> None:
    """What the handlers of a library's logger write goes to stderr in this way."""
    for handler in logger.handlers[:]:
        saying = _SayingHandler()
        saying.setFormatter(handler.formatter)
        logger.removeHandler(handler)
        logger.addHandler(saying)


class _SayingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record), sys.stderr)
