"""Commands run as a user would run them, in a process of their own or, where that is costly, in this one."""

import contextlib
import io
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

REPOSITORY = Path(__file__).parent.parent


def allow_interrupts() -> None:
    """Let the commands under test be ended by Ctrl-C: a shell starts what runs in the background deaf to it.

    A program passes an ignored signal on to those that it starts, and a handled one as the default.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run_module(*arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run `python -m …`; returns its exit code and what it printed."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


def call_module(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As `run_module`, but in this process: where torch is needed, that takes seconds to import."""
    output, errors = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", list(arguments)),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        try:
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run a few lines of Python in the repository, in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )


class RunningServer:
    """`python -m serve` on a free port; constructed once it says that it is ready."""

    def __init__(
        self,
        path: Path,
        *options: str,
        option: str = "--bundle",
        module: str = "",
        env: dict[str, str] | None = None,
    ) -> None:
        """Start it for a bundle, or for what else `option` takes, with the variables `env` besides.

        `module` is a server in place of ours, which takes a bundle alone.
        """
        ours = ["serve", option, str(path), "--port", "0", *options]
        command = [sys.executable, "-m", *([module, str(path)] if module else ours)]
        self.process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self.banner: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.banner.append(line)
            if line.startswith("Ready: "):
                break
        if not self.banner or not self.banner[-1].startswith("Ready: "):
            raise AssertionError(self.banner, self.process.communicate())
        self.url = self.banner[-1].split()[1].removesuffix("/predict")

    @property
    def grpc_address(self) -> str:
        """Host and port, where it was told to listen for gRPC."""
        return self.banner[-2].removeprefix("gRPC: ").strip()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send the server a signal; returns its exit code and what it wrote to stderr."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors
