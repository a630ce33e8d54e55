"""The baselines: what a user might pick instead, each started as its own documentation starts it."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.load.protocols import ProtocolName
from benchmarks.targets.servers import ROOT, Starter, Target, TargetError, free_ports, launched, run_module
from benchmarks.targets.watch import family
from contract.manifest import LABELS_FILE, MANIFEST_FILE, TORCHSCRIPT_FILE

BASELINES = ROOT / "benchmarks" / "targets" / "baselines"
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
START_S = 180
# Their pictures are resized by torchvision, without the reduced decoding of large JPEGs.
TOLERANCE = 0.05


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A server of its own make: how it is started, and how it is asked."""

    command: tuple[str, ...]
    """After the environment's python; {bundle} and {port} are filled in."""
    protocol: ProtocolName


PEERS: Mapping[str, Baseline] = {
    "flask": Baseline(command=("flask_threaded.py", "{bundle}", "{port}"), protocol="plain"),
    "fastapi": Baseline(command=("fastapi_plain.py", "{bundle}", "{port}"), protocol="form"),
    "litserve": Baseline(command=("litserve_batching.py", "{bundle}", "{port}"), protocol="form"),
    "bentoml": Baseline(
        command=("-m", "bentoml", "serve", "bentoml_service:Service", "--host", "127.0.0.1", "--port", "{port}"),
        protocol="form",
    ),
    "ray": Baseline(command=("ray_serve.py", "{bundle}", "{port}"), protocol="plain"),
}


def peer(name: str) -> Starter:
    """A baseline in the environment that `make bench-peers` makes."""

    @contextmanager
    def start(bundle: Path, model: str, folder: Path) -> Iterator[Target]:
        if not PYTHON.exists():
            raise TargetError(f"{name} needs the Python environment .venv-peers; create it with: make bench-peers")
        baseline, port, started = PEERS[name], free_ports(1), time.perf_counter()
        log = folder / f"{name}.log"
        process = _spawn(baseline, bundle.resolve(), port, log)
        try:
            base = f"http://127.0.0.1:{port}"
            _wait_for(base, process, log)
            yield Target(
                name=name,
                base=base,
                model=model,
                protocol=baseline.protocol,
                pid=process.pid,
                started=started,
                ready_s=time.perf_counter() - started,
                tolerance=TOLERANCE,
            )
        finally:
            _end(process.pid)
            process.wait()

    return start


def _spawn(baseline: Baseline, bundle: Path, port: int, log: Path) -> "subprocess.Popen[bytes]":
    command = [str(PYTHON), *(part.format(bundle=bundle, port=port) for part in baseline.command)]
    environment = {**os.environ, "BENCH_BUNDLE": str(bundle), **QUIET}
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=BASELINES, env=environment, stdout=output, stderr=output)


# None of them is to report its use to anybody, nor to look for news.
QUIET = {"BENTOML_DO_NOT_TRACK": "true", "RAY_USAGE_STATS_ENABLED": "0", "DO_NOT_TRACK": "1"}


def _wait_for(base: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until it takes connections and does not answer with a server's error. Raises `TargetError`."""
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):  # it does not listen yet
            if httpx.get(f"{base}/", timeout=5).status_code < 500:
                return
        time.sleep(0.2)
    said = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise TargetError(f"the baseline did not start: {' '.join(said) or 'it printed nothing'}")


def _end(pid: int) -> None:
    """End a process and all below it, at first politely."""
    processes = family(pid)
    for process in processes[:1]:
        process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=15)
    for process in alive:
        process.kill()


@contextmanager
def image_classifier(bundle: Path, model: str, folder: Path) -> Iterator[Target]:
    """TorchServe's own image_classifier with TorchServe's own defaults, on the bundle's TorchScript file."""
    store = folder / "store-image-classifier"
    store.mkdir()
    options = {
        "model-name": model,
        "version": "1",
        "handler": BASELINES / "image_classifier.py",
        "serialized-file": bundle / TORCHSCRIPT_FILE,
        "extra-files": f"{bundle / LABELS_FILE},{bundle / MANIFEST_FILE}",
        "export-path": store,
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    run_module("model_archiver.model_packaging", *arguments, environment={"TMPDIR": str(store)})
    with launched("image_classifier", store, model, folder, TOLERANCE) as target:
        yield target
