"""Starts TorchServe and waits until its model is ready; stops it and waits until all its processes have ended."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from contract.errors import StartError
from handlers.launcher.config import Start, write_settings
from handlers.launcher.java import java_home
from handlers.launcher.logs import ERRORS, LOGS, Tail

KEYS = Path("key_file.json")
PID_FILE = ".model_server.pid"
MAIN_CLASS = "org.pytorch.serve.ModelServer"
POLL_S = 0.2
STOP_S = 60


def start(config: Start) -> None:
    """Start TorchServe in the background; returns when the model is ready. Raises `StartError`."""
    if not config.archive.is_file():
        raise StartError(f"{config.archive} does not exist; build it first: make archive RUN={config.name}")
    if running():
        raise StartError("TorchServe is already running; stop it first: make torchserve-stop")
    check_ports(config)
    LOGS.mkdir(exist_ok=True)
    KEYS.unlink(missing_ok=True)  # left behind by a server that was killed
    logs = Tail()
    print(f"Starting TorchServe with {config.archive}; its logs are in {LOGS}/", flush=True)
    _torchserve(
        *("--start", "--ncs", "--model-store", str(config.store.resolve())),
        *("--models", f"{config.name}={config.archive.name}", "--ts-config", str(write_settings(config, LOGS))),
    )
    try:
        wait_ready(config, logs)
    except BaseException:
        stop()
        raise
    print(f"Ready: http://127.0.0.1:{config.port}/predictions/{config.name} (to stop it: make torchserve-stop)")
    if config.management:
        print(f"Management: http://127.0.0.1:{config.port + 1}; every request needs a key, in a header like this:")
        print("  Authorization: Bearer …, with the inference or management key from key_file.json")


def check_ports(config: Start) -> None:
    """Check that all ports are free. Raises `StartError`, which names the port; TorchServe's own error does not."""
    for port in config.ports:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            raise StartError(
                f"can't listen on port {port}: {error.strerror}; choose another PORT (it changes all five ports)"
            ) from error


def stop() -> None:
    """Stop the TorchServe that this user started (with any command) and wait until all its processes have ended."""
    process = running()
    if not process:
        print("TorchServe is not running.")
        return
    family = [process, *process.children(recursive=True)]
    _torchserve("--stop")
    _, alive = psutil.wait_procs(family, timeout=STOP_S)
    for survivor in alive:
        survivor.kill()
    print("TorchServe has stopped.")


def running() -> psutil.Process | None:
    """The process that `torchserve --stop` would stop, or None."""
    try:
        process = psutil.Process(int((Path(tempfile.gettempdir()) / PID_FILE).read_text()))
        return process if MAIN_CLASS in process.cmdline() else None
    except (FileNotFoundError, ValueError, psutil.Error):
        return None


def wait_ready(config: Start, logs: Tail) -> None:
    """Wait until a worker of the model is ready. Raises `StartError` with the reason if that fails."""
    deadline = time.monotonic() + config.timeout
    while not _is_ready(config):
        if refusal := logs.refusal():
            raise StartError(refusal)
        if not running():
            raise StartError(f"TorchServe stopped unexpectedly: {logs.last_error()}")
        if time.monotonic() > deadline:
            raise StartError(f"the model is not ready after {config.timeout:g} s; see the log files in {LOGS}/")
        time.sleep(POLL_S)


def _is_ready(config: Start) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{config.port + 1}/models/{config.name}")
    try:
        if config.management:
            request.add_header("Authorization", f"Bearer {json.loads(KEYS.read_text())['management']['key']}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            workers = json.load(answer)[0]["workers"]
    except (OSError, ValueError):  # TorchServe does not listen yet, or is still writing its keys
        return False
    return any(worker["status"] == "READY" for worker in workers)


def _torchserve(*arguments: str) -> None:
    """Run the torchserve command. Its standard output is dropped: the same lines are in `LOGS`, with log rotation.

    PYTHONPATH is removed, as the workers would search it before the archive. The umask hides the keys from other users.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["JAVA_HOME"] = str(java_home())
    command = [sys.executable, "-m", "ts.model_server", *arguments]
    LOGS.mkdir(exist_ok=True)
    with ERRORS.open("ab") as errors:
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors, umask=0o077, check=True)
