import os
import signal
import sys

import pytest

from contract import UsageError, UserError
from contract.console import Terminated, run_command


def ends(command: object, capsys: pytest.CaptureFixture[str]) -> tuple[int | str | None, str]:
    with pytest.raises(SystemExit) as caught:
        run_command(command)  # type: ignore[arg-type]
    return caught.value.code, capsys.readouterr().err


def fails_with(error: BaseException) -> object:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("no such leaf"), 1, "error: no such leaf\n"),
        (UsageError("size is 3"), 2, "error: size is 3\n"),
        (OSError(28, "No space left on device", "runs/a"), 1, "error: runs/a: No space left on device\n"),
        (KeyboardInterrupt(), 130, "stopped.\n"),
        (Terminated("2 epochs are saved"), 143, "stopped. 2 epochs are saved\n"),
        (KeyboardInterrupt("2 epochs are saved"), 130, "stopped. 2 epochs are saved\n"),
    ],
)
def test_known_failures_end_in_one_line(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(fails_with(error), capsys) == (code, line)


def test_success_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(lambda: None, capsys) == (0, "")


def test_debug_shows_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["program", "--debug"])
    with pytest.raises(UserError, match="no such leaf"):
        run_command(fails_with(UserError("no such leaf")))  # type: ignore[arg-type]
    assert sys.argv == ["program"]


def test_bugs_are_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)


def test_sigterm_ends_a_command_as_ctrl_c_does(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert ends(lambda: os.kill(os.getpid(), signal.SIGTERM), capsys) == (143, "stopped.\n")
    assert signal.getsignal(signal.SIGTERM) == before
