"""Ctrl-C and SIGTERM wait for the running step, so that what was computed can be saved before training ends."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], object]


class Stop:
    """Whether training was asked to stop, and by which signal."""

    def __init__(self, handlers: dict[int, Handler]) -> None:
        self._handlers = handlers
        self.asked: int | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        """Remember the signal; a second one is obeyed at once."""
        if self.asked is not None:
            self._handlers[number](number, frame)
        self.asked = number

    def obey(self) -> None:
        """Do now what the signal does otherwise: raise `KeyboardInterrupt`, or one of its kind."""
        if self.asked is not None:
            self._handlers[self.asked](self.asked, None)


@contextmanager
def stopping_between_steps() -> Iterator[Stop]:
    """Note the signals while steps are taken. Only the main thread hears signals; elsewhere nothing changes."""
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    heard = {int(number): handler for number, handler in handlers.items() if callable(handler)}
    stop = Stop(heard)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    try:
        for number in heard:
            signal.signal(number, stop.note)
        yield stop
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
