"""The life of TorchServe: started, waited for until the model answers, stopped until nothing of it is left."""

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
    """Start TorchServe in the background; returns once the model answers. Raises `StartError`."""
    if not config.archive.is_file():
        raise StartError(f"{config.archive} is not there; build it first: make archive RUN={config.name}")
    if running():
        raise StartError("TorchServe is running already; stop it first: make torchserve-stop")
    check_ports(config)
    LOGS.mkdir(exist_ok=True)
    KEYS.unlink(missing_ok=True)  # of a server that was killed
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
    print(f"Ready: http://127.0.0.1:{config.port}/predictions/{config.name} (make torchserve-stop ends it)")
    if config.management:
        print(f"Management: http://127.0.0.1:{config.port + 1}; every caller needs its key, as in")
        print("  Authorization: Bearer …, with the key of inference or of management in key_file.json")


def check_ports(config: Start) -> None:
    """TorchServe's own complaint does not say which port is taken. Raises `StartError`, which does."""
    for port in config.ports:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            raise StartError(
                f"can't listen on port {port}: {error.strerror}; choose another PORT, which moves all five"
            ) from error


def stop() -> None:
    """Stop the TorchServe that this user started, by whatever command, and wait until it is gone."""
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
    """The TorchServe that `torchserve --stop` would stop."""
    try:
        process = psutil.Process(int((Path(tempfile.gettempdir()) / PID_FILE).read_text()))
        return process if MAIN_CLASS in process.cmdline() else None
    except (FileNotFoundError, ValueError, psutil.Error):
        return None


def wait_ready(config: Start, logs: Tail) -> None:
    """Wait until a worker of the model is ready. Raises `StartError` with the reason if none will be."""
    deadline = time.monotonic() + config.timeout
    while not _is_ready(config):
        if refusal := logs.refusal():
            raise StartError(refusal)
        if not running():
            raise StartError(f"TorchServe ended: {logs.last_error()}")
        if time.monotonic() > deadline:
            raise StartError(f"the model is not ready after {config.timeout:g} s; {LOGS}/ says what it does")
        time.sleep(POLL_S)


def _is_ready(config: Start) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{config.port + 1}/models/{config.name}")
    try:
        if config.management:
            request.add_header("Authorization", f"Bearer {json.loads(KEYS.read_text())['management']['key']}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            workers = json.load(answer)[0]["workers"]
    except (OSError, ValueError):  # it does not listen yet, or is still writing its keys
        return False
    return any(worker["status"] == "READY" for worker in workers)


def _torchserve(*arguments: str) -> None:
    """Run the torchserve command. Its log on the screen is left out: the same lines go to `LOGS`, and rotate there.

    PYTHONPATH would come before the archive in the workers; the umask keeps the keys from other users.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["JAVA_HOME"] = str(java_home())
    command = [sys.executable, "-m", "ts.model_server", *arguments]
    LOGS.mkdir(exist_ok=True)
    with ERRORS.open("ab") as errors:
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors, umask=0o077, check=True)
