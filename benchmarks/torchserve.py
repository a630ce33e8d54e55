"""A bundle in; what TorchServe makes of it out: images/s, latency, start and memory, beside its own image_classifier.

Every server runs the same graph on the same machine and is asked for the same pictures; rounds alternate between the
servers, so that a machine that slows down slows all of them. Every answer is checked.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import httpx
import numpy as np
import psutil
import tyro
from rich.console import Console
from rich.table import Table

from contract import Manifest, UsageError
from contract.console import run_command
from contract.golden import read_golden
from contract.manifest import LABELS_FILE, TORCHSCRIPT_FILE

ROOT = Path(__file__).parent.parent
STOCK_SIZE = 224


@dataclass(frozen=True, kw_only=True)
class TorchServeBenchmark:
    """Measure a bundle of a 224 px model in TorchServe."""

    bundle: Path
    """The bundle's folder."""
    clients: tuple[int, ...] = (1, 8, 32)
    """How many clients ask at once, each again when it has its answer."""
    seconds: float = 12
    """Time for each measurement."""
    rounds: int = 3
    """Each server is started and measured so many times."""
    port: int = 18080
    """Port for TorchServe, and the four after it."""


@dataclass(frozen=True)
class Picture:
    """A file and the label that the trained model gives it."""

    data: bytes
    label: str


@dataclass
class Measured:
    """What the rounds gave for one server."""

    start_s: list[float] = field(default_factory=list)
    workers_mb: list[float] = field(default_factory=list)
    rates: dict[int, list[float]] = field(default_factory=dict)
    """Images/s, by the number of clients."""
    latencies_ms: dict[int, list[float]] = field(default_factory=dict)
    """Of every request of all rounds."""


def measure(config: TorchServeBenchmark) -> None:
    """Pack, start, load and print. Raises `UsageError` for a model that the baseline can't feed."""
    manifest = Manifest.read(config.bundle)
    if manifest.image.size != STOCK_SIZE:
        raise UsageError(f"the bundle's model takes {manifest.image.size} px; image_classifier gives {STOCK_SIZE}")
    pictures = read_pictures(config.bundle, manifest)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        servers = pack_all(config.bundle, manifest.name, folder)
        results = {name: Measured() for name in servers}
        for _ in range(config.rounds):
            for name, store in servers.items():
                with running(store, manifest.name, folder, config.port) as ask:
                    measure_once(config, pictures, ask, results[name])
    report(manifest, results)


def read_pictures(bundle: Path, manifest: Manifest) -> list[Picture]:
    """The golden files, with their labels."""
    return [
        Picture((bundle / golden.file).read_bytes(), manifest.classes[int(golden.logits.argmax())].label)
        for golden in read_golden(bundle)
    ]


def pack_all(bundle: Path, name: str, folder: Path) -> dict[str, Path]:
    """A model store for each server: two of the baseline's, two of ours."""
    model = ["--serialized-file", str(bundle / TORCHSCRIPT_FILE), "--extra-files", str(bundle / LABELS_FILE)]
    stock = ["--handler", str(ROOT / "benchmarks" / "stock_classifier.py"), "--version", "1", *model]
    settings = ["--config-file", str(ROOT / "handlers" / "model-config.yaml")]
    stores = {
        "image_classifier": pack_stock(name, folder / "stock", stock),
        "image_classifier, our settings": pack_stock(name, folder / "tuned", [*stock, *settings]),
    }
    for engine in ("torchscript", "onnx"):
        stores[f"ours, {engine}"] = folder / engine
        command = ["export.archive", "--bundle", str(bundle), "--engine", engine, "--store", str(folder / engine)]
        subprocess.run([sys.executable, "-m", *command], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return stores


def pack_stock(name: str, store: Path, options: list[str]) -> Path:
    """The baseline's archive."""
    store.mkdir()
    command = ["model_archiver.model_packaging", "--model-name", name, "--export-path", str(store), *options]
    environment = {**os.environ, "TMPDIR": str(store)}
    subprocess.run([sys.executable, "-m", *command], env=environment, stderr=subprocess.DEVNULL, check=True)
    return store


@contextmanager
def running(store: Path, name: str, folder: Path, port: int) -> Iterator["Asker"]:
    """TorchServe on one archive, apart from any other on this machine."""
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "PYTHONPATH": str(ROOT)}
    launch = [sys.executable, "-m", "handlers.launcher"]
    started = time.perf_counter()
    start = [*launch, "start", "--name", name, "--store", str(store), "--port", str(port)]
    subprocess.run(start, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    try:
        yield Asker(f"http://127.0.0.1:{port}/predictions/{name}", folder, started)
    finally:
        subprocess.run([*launch, "stop"], cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)


@dataclass(frozen=True)
class Asker:
    """A running server: its address, its folder, and when its start began."""

    url: str
    folder: Path
    started: float

    def ask(self, http: httpx.Client, picture: Picture) -> float:
        """Ask once and check the answer; returns the milliseconds it took."""
        begin = time.perf_counter()
        answer = http.post(self.url, content=picture.data, headers={"Content-Type": "image/jpeg"}).raise_for_status()
        took = 1000 * (time.perf_counter() - begin)
        found = next(iter(json.loads(answer.content)))
        if found != picture.label:
            raise AssertionError(f"answered {found} for a picture of {picture.label}")
        return took

    def workers_mb(self) -> float:
        """Memory of the largest worker, in 10^6 bytes that no other process shares."""
        java = psutil.Process(int((self.folder / ".model_server.pid").read_text()))
        return max(child.memory_full_info().uss for child in java.children()) / 1e6


def measure_once(config: TorchServeBenchmark, pictures: list[Picture], server: Asker, measured: Measured) -> None:
    """One round of one server."""
    with httpx.Client(timeout=120) as http:
        server.ask(http, pictures[0])
        measured.start_s.append(time.perf_counter() - server.started)
        for clients in config.clients:
            load(server, http, pictures, clients, config.seconds / 4)  # warms every batch size and worker
            latencies, seconds = load(server, http, pictures, clients, config.seconds)
            measured.rates.setdefault(clients, []).append(len(latencies) / seconds)
            measured.latencies_ms.setdefault(clients, []).extend(latencies)
    measured.workers_mb.append(server.workers_mb())


def load(
    server: Asker, http: httpx.Client, pictures: list[Picture], clients: int, seconds: float
) -> tuple[list[float], float]:
    """A closed loop of `clients`; returns the latencies in ms and the seconds it took to the last answer."""
    latencies: list[float] = []
    failures: list[Exception] = []
    begin = time.perf_counter()

    def client(first: int) -> None:
        try:
            for picture in cycle(pictures[first:] + pictures[:first]):
                if time.perf_counter() - begin > seconds:
                    return
                latencies.append(server.ask(http, picture))
        except Exception as error:  # shown by the thread that waits for all
            failures.append(error)

    threads = [threading.Thread(target=client, args=(number % len(pictures),)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return latencies, time.perf_counter() - begin


def report(manifest: Manifest, results: dict[str, Measured]) -> None:
    """Print one line for each server and number of clients, then start and memory."""
    loads = Table("server", "clients", "images/s", "lowest", "highest", "ratio", "p50 ms", "p99 ms", box=None)
    baseline = next(iter(results.values()))
    for name, measured in results.items():
        for clients, rates in measured.rates.items():
            ratio = statistics.median(rates) / statistics.median(baseline.rates[clients])
            p50, p99 = np.percentile(measured.latencies_ms[clients], (50, 99))
            shown = [f"{value:.1f}" for value in (statistics.median(rates), min(rates), max(rates), ratio)]
            loads.add_row(name, str(clients), *shown, f"{p50:.0f}", f"{p99:.0f}")
    rest = Table("server", "start to first answer, s", "one worker, MB", box=None)
    for name, measured in results.items():
        rest.add_row(
            name, f"{statistics.median(measured.start_s):.1f}", f"{statistics.median(measured.workers_mb):.0f}"
        )
    console = Console(soft_wrap=True, highlight=False, width=110)
    machine = f"{os.cpu_count()} cores, clients on the same machine, median of the rounds"
    console.print(f"{manifest.architecture}, {manifest.image.size} px, {machine}", loads, rest, sep="\n")


if __name__ == "__main__":
    run_command(lambda: measure(tyro.cli(TorchServeBenchmark)))
