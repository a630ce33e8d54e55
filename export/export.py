"""The path of an export: the best epoch of a run -> graphs -> proof -> manifest -> bundle, or no bundle at all."""

import json
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import torch

from contract import Manifest
from contract.atomic import sync_folder, write_text_atomically
from contract.manifest import LABELS_FILE, ONNX_FILE, TORCHSCRIPT_FILE, sha256_of
from export.candidates import Eager, open_candidates
from export.config import ExportConfig
from export.deployable import Deployable
from export.golden import write_golden
from export.onnx_graph import write_onnx
from export.parity import Check, ParityError, check_names, check_parity
from export.summary import print_bundle, print_checks
from export.torchscript import write_torchscript
from export.validation import Validation, prepare, read_validation
from training.checkpoint import BEST, TrainedModel, load_best
from training.device import make_deterministic
from training.run import read_config, read_results

BUNDLE = "bundle"
VERSIONED = ("torch", "torchvision", "onnx", "onnxscript", "onnxruntime", "pillow", "numpy")


def export(config: ExportConfig) -> Path:
    """Export the run, prove it, and put the bundle in place; returns its folder. Raises `ParityError`."""
    make_deterministic(0)
    results = read_results(config.folder)
    trained = load_best(config.folder)
    validation = read_validation(config.folder, trained.classes)
    bundle = config.folder / BUNDLE
    with _staged(bundle) as stage:
        files = write_artifacts(config, trained, results["temperature"], validation, stage)
        checks = prove(config, trained, results["temperature"], validation, stage)
        write_manifest(config, trained, files, checks, stage)
    print_checks(checks)
    print_bundle(bundle, Manifest.read(bundle))
    return bundle


def write_artifacts(
    config: ExportConfig, trained: TrainedModel, temperature: float, validation: Validation, stage: Path
) -> list[str]:
    """Write the graphs, the labels and the golden files; returns their paths in the bundle."""
    module = Deployable(trained.model, temperature).eval()
    example = torch.from_numpy(prepare(validation.examples[:2], trained.image))
    write_torchscript(module, example, stage / TORCHSCRIPT_FILE)
    write_onnx(module, example, config.max_batch, stage / ONNX_FILE)
    write_labels([entry.label for entry in trained.classes], stage / LABELS_FILE)
    golden = write_golden(trained.model, validation.examples, trained.image, stage)
    return [TORCHSCRIPT_FILE, ONNX_FILE, LABELS_FILE, *golden]


def write_labels(labels: list[str], path: Path) -> None:
    """Class index -> label, as TorchServe reads it."""
    table = {str(index): label for index, label in enumerate(labels)}
    write_text_atomically(path, json.dumps(table, ensure_ascii=False, indent=2) + "\n")


def prove(
    config: ExportConfig, trained: TrainedModel, temperature: float, validation: Validation, stage: Path
) -> list[Check]:
    """Every parity check, on the files as they lie in `stage`. Raises `ParityError`."""
    table: dict[str, str] = json.loads((stage / LABELS_FILE).read_text(encoding="utf-8"))
    names = check_names([table[str(index)] for index in range(len(table))], validation)
    if not names.passed:
        raise ParityError([names])
    reference = Eager(trained.model, temperature)
    checks = check_parity(reference, open_candidates(stage), stage, validation, trained.image, config.max_batch)
    return [*checks, names]


def write_manifest(
    config: ExportConfig, trained: TrainedModel, files: list[str], checks: list[Check], stage: Path
) -> None:
    """Say what the bundle is; from here on it is one."""
    results, settings = read_results(config.folder), read_config(config.folder)
    weights = sha256_of(config.folder / "checkpoints" / BEST)
    Manifest(
        name=config.run,
        version=config.version or weights[:8],
        architecture=trained.arch,
        classes=trained.classes,
        image=trained.image,
        max_batch=config.max_batch,
        temperature=results["temperature"],
        files={name: sha256_of(stage / name) for name in files},
        metrics={split: results[split] for split in ("validation", "test")},
        parity=[check.as_dict() for check in checks],
        versions={"python": platform.python_version(), **{name: version(name) for name in VERSIONED}},
        training={**settings, "best_epoch": trained.epoch, "weights_sha256": weights},
        data_fingerprint=settings["data_fingerprint"],
    ).write(stage)


@contextmanager
def _staged(bundle: Path) -> Iterator[Path]:
    """A folder that becomes `bundle` if all goes well and vanishes if not; the old bundle stands until then."""
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=bundle.parent) as temporary:
        stage = Path(temporary) / BUNDLE
        stage.mkdir()
        yield stage
        old = Path(temporary) / "old"
        if bundle.exists():
            bundle.rename(old)
        stage.rename(bundle)
        sync_folder(bundle.parent)
        shutil.rmtree(old, ignore_errors=True)
