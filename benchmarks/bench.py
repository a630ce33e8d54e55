"""The path of a load test: corpora and ceilings -> each server under each load -> rows, kept as they come -> report."""

import platform
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import psutil

from benchmarks.ceiling import ceiling
from benchmarks.config import BenchConfig, ServerName
from benchmarks.load.corpus import read_corpus
from benchmarks.load.corpus_writer import write_corpus
from benchmarks.load.protocols import PROTOCOLS, is_right
from benchmarks.report.record import Record, settings_of
from benchmarks.report.report import write_report
from benchmarks.scenarios import (
    INPUTS,
    MIXED,
    SIZED,
    Load,
    beside_slow,
    crowds,
    goodput,
    overloads,
    rates,
    soak,
    sweep,
    warm_up,
)
from benchmarks.targets.peers import PEERS, image_classifier, peer
from benchmarks.targets.servers import Starter, Target, TargetError, check_reachable, existing, lean_in, torchserve
from contract import Manifest
from runtime import Mode, Model, load_model
from runtime.machine import cores, processor
from runtime.modes import REFERENCE, modes_for

BATCH = 8
VERSIONED = ("aiohttp", "fastapi", "numpy", "onnxruntime", "pillow", "torch", "torchserve", "uvicorn")
LEAN_MODES = {
    "lean": REFERENCE,
    "lean-int8": Mode("cpu", "int8"),
    "lean-openvino-bf16": Mode("openvino", "bf16"),
    "lean-openvino-int8": Mode("openvino", "int8"),
}
STARTERS: dict[str, Starter] = {
    **{name: lean_in(mode, name) for name, mode in LEAN_MODES.items()},
    "torchscript": torchserve("torchscript"),
    "onnx": torchserve("onnx"),
    "image_classifier": image_classifier,
    **{name: peer(name) for name in PEERS},
}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What all servers of a load test are measured with."""

    settings: BenchConfig
    model: Model
    """Knows the right answers, and is the ceiling."""
    folder: Path
    corpora: dict[str, Path]
    """By input."""


def bench(config: BenchConfig) -> None:
    """Measure everything. What was measured is kept, whatever happens on the way."""
    settings = config.effective
    record = Record(settings_of(settings), describe_machine(Manifest.read(settings.bundle)))
    if settings.target:
        check_reachable(settings.target)
    print(f"Writing the results to {settings.folder}", flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
            ground = prepare(settings, Path(temporary))
            for name, starter in starters(settings).items():
                try:
                    measure_server(ground, starter, record)
                except TargetError as error:  # the others are measured all the same
                    record.failures[name] = str(error)
        record.complete = not record.failures
    finally:
        if record.rows:
            record.write(settings.folder)
            write_report(record, settings.folder)
            print(f"wrote {settings.folder / 'report.html'}", flush=True)
    if record.failures:
        raise TargetError("; ".join(f"{name}: {why}" for name, why in record.failures.items()))


def prepare(settings: BenchConfig, folder: Path) -> Ground:
    """Load the model that knows the answers, and write the corpora."""
    model = load_model(settings.bundle, batches=(BATCH,))
    corpora = {name: folder / name.replace(" ", "-") for name in INPUTS}
    write_corpus(model, settings.bundle, settings.images, corpora[MIXED], settings.sizes)
    write_corpus(model, settings.bundle, settings.images, corpora[SIZED])
    return Ground(settings=settings, model=model, folder=folder, corpora=corpora)


def starters(settings: BenchConfig) -> dict[str, Starter]:
    """What to measure, one after the other, by name."""
    if settings.target:
        return {settings.target: existing(settings.target, settings.protocol, settings.headers)}
    return {name: STARTERS[name] for name in chain(*(names_of(server, settings.bundle) for server in settings.servers))}


def names_of(server: ServerName, bundle: Path) -> list[str]:
    """The server itself; in place of `fast`, ours in every fast mode that may serve here."""
    if server != "fast":
        return [server]
    here = modes_for(Manifest.read(bundle), "auto", "auto")
    return [name for name, mode in LEAN_MODES.items() if mode.is_fast and mode in here]


def measure_server(ground: Ground, starter: Starter, record: Record) -> None:
    """Start a server, load it in every way, and stop it."""
    settings = ground.settings
    with starter(settings.bundle, ground.model.manifest.name, ground.folder) as target:
        check_answer(target, ground.corpora[MIXED], record)
        ceilings = record.ceilings[target.name] = measure_ceilings(ground, target.mode)
        load = Load(settings, target, ground.folder, ground.corpora, ceilings)
        warm_up(load)
        capacity = dict.fromkeys(INPUTS, 0.0)
        for row in sweep(load):
            record.add(row, settings.folder)
            capacity[row.case.input] = max(capacity[row.case.input], row.images_s)
        if not all(capacity.values()):
            problem = f"{target.name} gave no correct answer within {settings.seconds:g} s"
            raise TargetError(f"{problem}; allow more time with ARGS='--seconds …', or check that it serves this model")
        opened = chain(rates(load, capacity[MIXED]), goodput(load, capacity[MIXED]), overloads(load, capacity[SIZED]))
        for row in chain(opened, crowds(load), beside_slow(load, capacity[MIXED]), soak(load)):
            record.add(row, settings.folder)


def measure_ceilings(ground: Ground, mode: Mode) -> dict[str, float]:
    """Images/s in process, by input: anew beside each server, as the machine is not the same all day."""
    model = ground.model if mode == REFERENCE else load_model(ground.settings.bundle, mode, batches=(BATCH,))
    found = {name: ceiling(model, corpus, BATCH, ground.settings.seconds) for name, corpus in ground.corpora.items()}
    print(
        "ceiling, without a server: " + ", ".join(f"{name} {rate:.1f} images/s" for name, rate in found.items()),
        flush=True,
    )
    return found


def check_answer(target: Target, corpus: Path, record: Record) -> None:
    """The first answer: note when it came. Raises `TargetError` if it is not the bundle's."""
    entry = read_corpus(corpus)[0]
    answer = target.first_answer((corpus / entry.file).read_bytes())
    if target.ready_s is not None:
        first_s = time.perf_counter() - target.started
        record.cold_starts[target.name] = {"ready": target.ready_s, "first answer": first_s}
    if not is_right(PROTOCOLS[target.protocol], answer.content, entry.answer, target.tolerance):
        said = answer.text[:200].replace("\n", " ")
        raise TargetError(
            f"{target.url} answers {said}; expected {entry.answer}: check that it serves this bundle's model"
        )


def describe_machine(manifest: Manifest) -> dict[str, str]:
    """What the figures depend on."""
    return {
        "processor": processor(),
        "cores": str(cores()),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in VERSIONED),
        "model": f"{manifest.architecture}, {manifest.image.size} px, version {manifest.version}",
        "clients": "on the same machine",
    }
