"""What builds and runs images here, and one container of the image under test."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from benchmarks.targets.servers import free_ports
from tests.commands import REPOSITORY

IMAGE = "resnet-serve"
STAND_IN = "resnet-base"
"""In place of the public base image, where that can't be pulled."""
HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")


def run(
    *command: str, variables: dict[str, str] | None = None, timeout: float = 600, folder: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """A command of the system's, in the repository or another folder."""
    environment = {**os.environ, **(variables or {})}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False, env=environment
    )


@cache
def engine() -> tuple[str, ...]:
    """The program that runs containers here, and its options; empty if none does."""
    if shutil.which("docker") and run("docker", "version").returncode == 0:
        return ("docker",)
    if os.geteuid() == 0 and shutil.which("podman") and shutil.which("runc"):
        # Without systemd there is nobody to keep the cgroups, and podman's own runtime does not take the older ones.
        return ("podman", "--runtime=runc", "--cgroup-manager=cgroupfs", "--log-level=fatal")
    return ()


LIMITS = ("--network=host", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")


class Container:
    """The image, running as a user would run it, with one more option or another."""

    def __init__(self, *options: str, arguments: tuple[str, ...] = ()) -> None:
        self.port = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        usual = ("--detach", *LIMITS, *HARDENED, f"--env=PORT={self.port}")
        # Where it is started, podman leaves a file about a container that was killed for its memory.
        started = run(*engine(), "run", *usual, *options, IMAGE, *arguments, folder=Path(tempfile.mkdtemp()))
        assert started.returncode == 0, started.stderr
        self.id = started.stdout.split()[-1]

    @property
    def output(self) -> str:
        """What it has written, on both streams."""
        logs = run(*engine(), "logs", self.id)
        return logs.stdout + logs.stderr

    def wait_ready(self) -> None:
        while "Ready: " not in (output := self.output):
            assert self.is_running, output

    @property
    def is_running(self) -> bool:
        return self._inspect("{{.State.Running}}") == "true"

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        return run(*engine(), "exec", self.id, *command)

    def signal(self, name: str) -> None:
        assert run(*engine(), "kill", f"--signal={name}", self.id).returncode == 0

    def end(self) -> int:
        """The exit status, once it has ended."""
        return int(run(*engine(), "wait", self.id, timeout=120).stdout)

    def _inspect(self, form: str) -> str:
        return run(*engine(), "inspect", f"--format={form}", self.id).stdout.strip()


@contextmanager
def container(*options: str, arguments: tuple[str, ...] = ()) -> Iterator[Container]:
    """One that is gone afterwards."""
    made = Container(*options, arguments=arguments)
    try:
        yield made
    finally:
        run(*engine(), "rm", "--force", "--volumes", made.id)


def mount(bundle: Path, place: str = "/bundle") -> str:
    """The option for a bundle that nobody may change."""
    return f"--volume={bundle}:{place}:ro"
