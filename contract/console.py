"""How a command ends: an error meant for users becomes one message on standard error and an exit status."""

import sys
from collections.abc import Callable
from typing import NoReturn

from contract.errors import UserError

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def run_command(command: Callable[[], object]) -> NoReturn:
    """Run `command` and exit with 0, 1 (failed), 2 (wrong usage), 3 (a server failed to start) or 130 (Ctrl-C).

    With `--debug` anywhere on the command line, errors show their stack trace instead of the message.
    """
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        command()
    except (UserError, OSError, KeyboardInterrupt) as error:
        if debug:
            raise
        message, code = describe(error)
        print(message, file=sys.stderr)
        sys.exit(code)
    sys.exit(0)


def describe(error: UserError | OSError | KeyboardInterrupt) -> tuple[str, int]:
    """The line to print for `error`, and the exit status."""
    if isinstance(error, KeyboardInterrupt):
        return f"stopped. {error}" if str(error) else "stopped.", INTERRUPTED
    if isinstance(error, UserError):
        return f"error: {error}", error.exit_code
    subject = f"{error.filename}: " if error.filename else ""
    return f"error: {subject}{error.strerror or error}", 1
