"""An archive's name in, a running TorchServe out: started, waited for until the model answers, and stopped."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import tyro

from contract import UsageError
from contract.console import run_command
from contract.errors import StartError
from contract.manifest import NAME_PATTERN
from handlers.java import java_home

SETTINGS = Path(__file__).parent / "config.properties"
PORT = 8080
ADDRESSES = ("inference_address", "management_address", "metrics_address")
GRPC_PORTS = ("grpc_inference_port", "grpc_management_port")
LOGS = Path("logs")
ERRORS = "torchserve.err"
KEYS = Path("key_file.json")
REFUSAL = "MODEL NOT LOADED: "
PID_FILE = ".model_server.pid"
# A year instead of an hour: every start makes new keys, and no client has to follow them while a server runs.
KEY_LIFE = {"token_expiration_min": "525600"}
MAIN_CLASS = "org.pytorch.serve.ModelServer"
POLL_S = 0.2
STOP_S = 60


@dataclass(frozen=True, kw_only=True)
class Start:
    """Start TorchServe with one archive and wait until its model answers."""

    name: str
    """The archive's name."""
    store: Path = Path("model_archive")
    """The folder that holds it."""
    port: int = PORT
    """Port for requests; management, metrics and the two of gRPC take the next four."""
    management: bool = False
    """Let models be registered and removed while it runs, and ask every caller for its key."""
    timeout: float = 300
    """Seconds that the model may take to load."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            f"name is {self.name!r}; expected an archive's name": bool(NAME_PATTERN.fullmatch(self.name)),
            f"port is {self.port}; expected 1 to 65531": 1 <= self.port <= 65531,
            f"timeout is {self.timeout}; expected above 0": self.timeout > 0,
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])


class Tail:
    """What is added to a file from now on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begin = path.stat().st_size if path.exists() else 0

    def read(self) -> str:
        """All that was added."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(self.begin)
            return file.read().decode(errors="replace")


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Stop TorchServe and wait until it is gone."""


def start(config: Start) -> None:
    """Start TorchServe in the background; returns once the model answers. Raises `StartError`."""
    archive = config.store / f"{config.name}.mar"
    if not archive.is_file():
        raise StartError(f"{archive} is not there; build it first: make archive RUN={config.name}")
    if running():
        raise StartError("TorchServe is running already; stop it first: make torchserve-stop")
    LOGS.mkdir(exist_ok=True)
    KEYS.unlink(missing_ok=True)  # of a server that was killed
    logs = [Tail(LOGS / name) for name in (ERRORS, "ts_log.log", "model_log.log")]
    print(f"Starting TorchServe with {archive}; its logs are in {LOGS}/", flush=True)
    _torchserve(
        *("--start", "--ncs", "--model-store", str(config.store.resolve())),
        *("--models", f"{config.name}={archive.name}", "--ts-config", str(write_settings(config))),
    )
    try:
        wait_ready(config, logs)
    except BaseException:
        stop()
        raise
    print(f"Ready: http://127.0.0.1:{config.port}/predictions/{config.name} (make torchserve-stop ends it)")


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


def wait_ready(config: Start, logs: Sequence[Tail]) -> None:
    """Wait until a worker of the model is ready. Raises `StartError` with the reason if none will be."""
    deadline = time.monotonic() + config.timeout
    while not _is_ready(config):
        said = "".join(log.read() for log in logs)
        if REFUSAL in said:
            raise StartError(said.rpartition(REFUSAL)[2].splitlines()[0])
        if not running():
            raise StartError(f"TorchServe ended: {_last_error(said)}")
        if time.monotonic() > deadline:
            raise StartError(f"the model is not ready after {config.timeout:g} s; {LOGS}/ says what it does")
        time.sleep(POLL_S)


def _is_ready(config: Start) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{config.port + 1}/models/{config.name}")
    if KEYS.exists():
        request.add_header("Authorization", f"Bearer {json.loads(KEYS.read_text())['management']['key']}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            workers = json.load(answer)[0]["workers"]
    except (OSError, ValueError):  # it does not listen yet, or is still writing its keys
        return False
    return any(worker["status"] == "READY" for worker in workers)


def _last_error(said: str) -> str:
    lines = [line for line in said.splitlines() if "Exception" in line or "rror" in line]
    return lines[-1].strip() if lines else "its logs don't say why"


def write_settings(config: Start) -> Path:
    """`handlers/config.properties`, or a copy of it with what `config` changes."""
    changes = settings_for(config)
    if not changes:
        return SETTINGS
    path = LOGS / SETTINGS.name
    path.write_text(SETTINGS.read_text() + "".join(f"{key}={value}\n" for key, value in changes.items()))
    return path


def settings_for(config: Start) -> dict[str, str]:
    """The properties that differ from `handlers/config.properties`; of two with one name, Java takes the last."""
    changes: dict[str, str] = {}
    if config.port != PORT:
        changes |= {name: f"http://127.0.0.1:{config.port + index}" for index, name in enumerate(ADDRESSES)}
        changes |= {name: str(config.port + len(ADDRESSES) + index) for index, name in enumerate(GRPC_PORTS)}
    if config.management:
        changes |= {"enable_model_api": "true", "disable_token_authorization": "false", **KEY_LIFE}
    return changes


def _torchserve(*arguments: str) -> None:
    """Run the torchserve command. Its log on the screen is left out: the same lines go to `LOGS`, and rotate there.

    PYTHONPATH would come before the archive in the workers; the umask keeps the keys from other users.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["JAVA_HOME"] = str(java_home())
    command = [sys.executable, "-m", "ts.model_server", *arguments]
    with (LOGS / ERRORS).open("ab") as errors:
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors, umask=0o077, check=True)


if __name__ == "__main__":
    config = tyro.cli(Start | Stop, prog="python -m handlers.launch")
    run_command(lambda: start(config) if isinstance(config, Start) else stop())
