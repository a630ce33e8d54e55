"""A bundle in, a running server out: started as a user starts it, and stopped until nothing of it is left."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load.protocols import PROTOCOLS, TOLERANCE, ProtocolName
from contract import Manifest, UserError
from runtime import Mode
from runtime.modes import REFERENCE, tolerated_drift

ROOT = Path(__file__).parents[2]
TORCHSERVE_PORTS = 5
# As TorchScript computes: otherwise a worker would run the fastest mode of the bundle.
IN_FP32 = "handler: {provider: cpu, precision: fp32}\n"


class TargetError(UserError):
    """The server to measure can't be started or does not answer."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server that answers."""

    name: str
    base: str
    model: str
    protocol: ProtocolName
    pid: int | None = None
    """Its first process, where it runs on this machine and was started here."""
    started: float = 0
    """When its start began, by time.perf_counter."""
    ready_s: float | None = None
    """From start until it said that it is ready."""
    tolerance: float = TOLERANCE
    """How far its probabilities may be from the bundle's: a baseline prepares pictures in its own way."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What every request says besides its picture."""
    mode: Mode = REFERENCE
    """In which its model is run, where it is ours."""

    @property
    def url(self) -> str:
        """Where it takes pictures."""
        return PROTOCOLS[self.protocol].url(self.base, self.model)

    def first_answer(self, picture: bytes) -> httpx.Response:
        """Ask once. Raises `TargetError` unless there is an answer with status 200."""
        protocol = PROTOCOLS[self.protocol]
        body: dict[str, Any] = protocol.write(picture)._asdict()
        if protocol.field:
            body = {"files": {protocol.field: ("picture.jpg", picture, "image/jpeg")}}
        body["headers"] = {**(body.get("headers") or {}), **self.headers}
        try:
            answer = httpx.post(self.url, timeout=120, **body)
        except httpx.HTTPError as error:
            raise TargetError(f"{self.url} does not answer ({error}); is the server running?") from error
        if answer.status_code != 200:
            said = answer.text[:200].replace("\n", " ")
            raise TargetError(
                f"{self.url} answers {answer.status_code}: {said}; check PROTOCOL and that it serves this bundle"
            )
        return answer


Starter = Callable[[Path, str, Path], AbstractContextManager[Target]]
"""Starts a server of a bundle whose model has that name; the second folder is for its files."""


def lean_in(mode: Mode, name: str) -> Starter:
    """The lean ONNX Runtime server with its defaults in this mode, whose certificate says how it may answer."""
    return partial(_lean, mode, name)


@contextmanager
def _lean(mode: Mode, name: str, bundle: Path, model: str, folder: Path) -> Iterator[Target]:
    started = time.perf_counter()
    options = ["--provider", mode.provider, "--precision", mode.precision]
    command = [sys.executable, "-m", "serve", "--bundle", str(bundle.resolve()), "--port", "0", *options]
    with (folder / "serve.log").open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            base = _wait_for_address(process, folder / "serve.log")
            ready_s = time.perf_counter() - started
            yield Target(
                name=name,
                base=base,
                model=model,
                protocol="predict",
                pid=process.pid,
                started=started,
                ready_s=ready_s,
                tolerance=max(TOLERANCE, tolerated_drift(mode, Manifest.read(bundle))),
                mode=mode,
            )
        finally:
            process.terminate()
            process.communicate()


lean = lean_in(REFERENCE, "lean")


def _wait_for_address(process: "subprocess.Popen[str]", log: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.match(r"Ready: (http://[\d.:]+)/", line):
            return found[1]
    raise TargetError(f"the server did not start: {log.read_text(errors='replace').strip()}")


def torchserve(engine: str) -> Starter:
    """TorchServe on an archive of the bundle, as `make archive torchserve` starts it."""

    @contextmanager
    def start(bundle: Path, model: str, folder: Path) -> Iterator[Target]:
        store = folder / f"store-{engine}"
        settings = folder / f"{engine}.yaml"
        settings.write_text((ROOT / "handlers" / "model-config.yaml").read_text(encoding="utf-8") + IN_FP32)
        packed = ["--bundle", str(bundle.resolve()), "--engine", engine, "--store", str(store)]
        run_module("export.archive", *packed, "--settings", str(settings))
        with launched(f"torchserve {engine}", store, model, folder) as target:
            yield target

    return start


@contextmanager
def launched(name: str, store: Path, model: str, folder: Path, tolerance: float = TOLERANCE) -> Iterator[Target]:
    """TorchServe on an archive, on free ports and with its files in `folder`, apart from any other on this machine."""
    port = free_ports(TORCHSERVE_PORTS)
    places = {"TMPDIR": str(folder), "TEMP": str(folder), "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    options = ["--name", model, "--store", str(store.resolve()), "--port", str(port)]
    try:
        run_module("handlers.launcher", "start", *options, folder=folder, environment=places)
        pid = int((folder / ".model_server.pid").read_text())
        yield Target(
            name=name,
            base=f"http://127.0.0.1:{port}",
            model=model,
            protocol="torchserve",
            pid=pid,
            started=started,
            ready_s=time.perf_counter() - started,
            tolerance=tolerance,
        )
    finally:
        run_module("handlers.launcher", "stop", folder=folder, environment=places)


def run_module(module: str, *arguments: str, folder: Path = ROOT, environment: dict[str, str] | None = None) -> None:
    """Run `python -m module` to its end. Raises `TargetError` with what it said."""
    command = [sys.executable, "-m", module, *arguments]
    surroundings = {**os.environ, **(environment or {})}
    result = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    if result.returncode:
        raise TargetError(f"{module} failed: {result.stderr.strip() or result.stdout.strip()}")


def free_ports(count: int) -> int:
    """The first of so many free ports in a row on loopback."""
    for first in range(20_000, 60_000, count):
        with contextlib.suppress(OSError), ExitStack() as held:
            for port in range(first, first + count):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise TargetError(f"there are no {count} free ports in a row on this machine; stop other servers")


def check_reachable(base: str) -> None:
    """Find out that nobody is there before minutes are spent on preparing. Raises `TargetError`."""
    try:
        httpx.get(base, timeout=10)
    except httpx.HTTPError as error:
        raise TargetError(f"{base} does not answer ({error}); is the server running?") from error


def existing(base: str, protocol: ProtocolName, headers: Mapping[str, str]) -> Starter:
    """A server that runs already, here or elsewhere; nothing is known of its processes."""

    @contextmanager
    def start(bundle: Path, model: str, folder: Path) -> Iterator[Target]:
        yield Target(name=base, base=base, model=model, protocol=protocol, headers=headers)

    return start
