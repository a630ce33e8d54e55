"""How the tests start the commands that they test."""

from tests.commands import run_python


def test_a_command_can_be_interrupted_where_the_suite_itself_runs_in_the_background() -> None:
    ended = run_python(
        "import signal\n"
        "from tests.commands import allow_interrupts, run_python\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "inner = 'import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)'\n"
        "print(run_python(inner).stdout.strip())\n"
        "allow_interrupts()\n"
        "print(run_python(inner).stdout.strip())\n"
    )
    assert ended.stdout.splitlines() == ["False", "True"]
