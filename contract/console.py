"""How a command ends: an error meant for users becomes one message on standard error and an exit status."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from contract.errors import UserError

# 128 + the number of the signal, as shells report it.
INTERRUPTED = 130
TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM, as `kill`, batch systems and containers send it: the command ends as with Ctrl-C."""


def run_command(command: Callable[[], object]) -> NoReturn:
    """Run `command` and exit with 0, 1 (failed), 2 (wrong usage), 3 (a server failed to start), 130 (Ctrl-C) or 143.

    With `--debug` anywhere on the command line, errors show their stack trace instead of the message.
    """
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        with _ended_by_sigterm():
            command()
    except (UserError, OSError, KeyboardInterrupt) as error:
        if debug:
            raise
        message, code = describe(error)
        print(message, file=sys.stderr)
        sys.exit(code)
    sys.exit(0)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM; a server sets a handler of its own."""

    def terminate(*_: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def describe(error: UserError | OSError | KeyboardInterrupt) -> tuple[str, int]:
    """The line to print for `error`, and the exit status."""
    if isinstance(error, KeyboardInterrupt):
        code = TERMINATED if isinstance(error, Terminated) else INTERRUPTED
        return f"stopped. {error}" if str(error) else "stopped.", code
    if isinstance(error, UserError):
        return f"error: {error}", error.exit_code
    subject = f"{error.filename}: " if error.filename else ""
    return f"error: {subject}{error.strerror or error}", 1
