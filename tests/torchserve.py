"""The real TorchServe, started as `make torchserve` starts it, on free ports and in a folder of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.targets.servers import TORCHSERVE_PORTS, free_ports
from tests.commands import REPOSITORY


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Ask again and again until `condition`, which takes a request's time to answer, holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"


class RunningTorchServe:
    """TorchServe with the archive `name` of `store`; constructed once its model answers."""

    def __init__(self, store: Path, name: str, folder: Path, *options: str, port: int = 0) -> None:
        self.name, self.folder, self.port = name, folder, port or free_ports(TORCHSERVE_PORTS)
        folder.mkdir(exist_ok=True)
        # PYTHONPATH is for the command; it must not reach the workers.
        places = {"TMPDIR": str(folder), "TEMP": str(folder), "PYTHONPATH": str(REPOSITORY)}
        self.environment = {**os.environ, **places}
        started = self.launch("start", "--name", name, "--store", str(store), "--port", str(self.port), *options)
        assert started.returncode == 0, started.stderr
        self.output = started.stdout
        self.process = psutil.Process(int((folder / ".model_server.pid").read_text()))
        self.url, self.management_url, self.metrics_url = (
            f"http://127.0.0.1:{self.port + index}" for index in range(3)
        )

    def launch(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m handlers.launcher` beside this server."""
        command = [sys.executable, "-m", "handlers.launcher", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=240, check=False
        )

    def key(self, kind: str) -> dict[str, str]:
        """The header that lets a caller in; nothing where no key is asked for."""
        keys = self.folder / "key_file.json"
        return {"Authorization": f"Bearer {json.loads(keys.read_text())[kind]['key']}"} if keys.exists() else {}

    def describe(self) -> dict[str, Any]:
        """What TorchServe says of the model's default version."""
        answer = httpx.get(f"{self.management_url}/models/{self.name}", headers=self.key("management"), timeout=30)
        described: dict[str, Any] = answer.raise_for_status().json()[0]
        return described

    def worker(self) -> psutil.Process:
        """The process of the only worker, once it is ready."""
        ready: list[int] = []

        def found() -> bool:
            ready[:] = [entry["pid"] for entry in self.describe()["workers"] if entry["status"] == "READY"]
            return bool(ready)

        wait_until(found)
        return psutil.Process(ready[0])

    def stop(self) -> list[psutil.Process]:
        """Stop it; returns the processes that are left of it."""
        family = [self.process, *self.process.children(recursive=True)]
        assert self.launch("stop").returncode == 0
        return [process for process in family if process.is_running()]
