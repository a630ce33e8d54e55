"""The steps of an export: best epoch of a run -> graphs -> parity checks -> manifest -> bundle.

If a step fails, no bundle is written.
"""

import json
import platform
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from contract import Adjustment, Manifest
from contract.atomic import write_text_atomically
from contract.manifest import COMPILED_FILE, LABELS_FILE, ONNX_FILE, PT2_FILE, TORCHSCRIPT_FILE, sha256_of
from export.candidates import Eager, open_candidates
from export.config import ExportConfig
from export.golden import write_golden
from export.graphs.compiled import NotCompiledError, compile_program
from export.graphs.deployable import Deployable
from export.graphs.exported_program import write_exported_program
from export.graphs.onnx_graph import write_onnx
from export.graphs.torchscript import write_torchscript
from export.parity import Check, ParityError, Proof, check_names, check_parity
from export.staging import BUNDLE, staged
from export.summary import print_bundle, print_checks, print_note, print_step
from export.validation import Validation, prepare, read_validation
from training.learning.checkpoint import TrainedModel, load_best
from training.lock import hold_run
from training.model.device import make_deterministic
from training.run_files import BEST, check_files, read_config, read_results

VERSIONED = ("torch", "torchvision", "onnx", "onnxscript", "onnxruntime", "pillow", "numpy")


@dataclass(frozen=True, kw_only=True)
class Run:
    """The results of training: the best model, its metrics, its settings, and its logits on the validation split."""

    trained: TrainedModel
    results: dict[str, Any]
    settings: dict[str, Any]
    validation: Validation

    @property
    def temperature(self) -> float:
        """The temperature that was fitted on the validation split."""
        return float(self.results["temperature"])

    @property
    def adjustment(self) -> Adjustment:
        """What was chosen on the held-out images for classes with few images."""
        return self.validation.adjustment

    @property
    def sources(self) -> dict[str, str]:
        """The images that each figure comes from; empty for runs of older programs."""
        return dict(self.results.get("sources") or {})


def read_run(folder: Path) -> Run:
    """Open a finished run. Raises `UserError`."""
    settings, results, trained = read_config(folder), read_results(folder), load_best(folder)
    check_files(folder, results)
    validation = read_validation(folder, trained.classes, results.get("parity_split", "val"))
    adjustment = Adjustment.from_dict(results.get("adjustment"))
    return Run(
        trained=trained, results=results, settings=settings, validation=replace(validation, adjustment=adjustment)
    )


def export(config: ExportConfig) -> Path:
    """Export the run, check its parity, and put the bundle in place; returns its folder. Raises `ParityError`."""
    make_deterministic(0)
    read_config(config.folder)  # for a run that is not there, no lock is left behind
    with hold_run(config.folder):
        return _export(config, read_run(config.folder))


def _export(config: ExportConfig, run: Run) -> Path:
    bundle = config.folder / BUNDLE
    with staged(bundle) as stage:
        print_step("Writing TorchScript, ONNX and golden files")
        files = write_artifacts(run, config, stage)
        images = f"{len(run.validation.examples)} {run.validation.what} images"
        print_step(f"Checking their parity with the trained model on {images}")
        checks = prove(run, config.max_batch, stage)
        describe(config, run, files, checks, stage).write(stage)
    print_checks(checks)
    print_bundle(bundle, Manifest.read(bundle))
    return bundle


def write_artifacts(run: Run, config: ExportConfig, stage: Path) -> list[str]:
    """Write the graphs, the labels and the golden files; returns their paths in the bundle."""
    trained, examples = run.trained, run.validation.examples
    module = Deployable(trained.model, run.temperature, run.adjustment).eval()
    example = torch.from_numpy(prepare(examples[:2], trained.image))
    write_torchscript(module, example, stage / TORCHSCRIPT_FILE)
    write_onnx(module, example, config.max_batch, about(trained), stage / ONNX_FILE)
    further = _write_pt2(module, example, config.max_batch, stage) if config.pt2 else []
    write_labels([entry.label for entry in trained.classes], stage / LABELS_FILE)
    golden = write_golden(trained.model, examples, trained.image, stage)
    return [TORCHSCRIPT_FILE, ONNX_FILE, *further, LABELS_FILE, *golden]


def _write_pt2(module: Deployable, example: torch.Tensor, max_batch: int, stage: Path) -> list[str]:
    """Write the module as `torch.export` saves it, and compiled where that can be done; returns the files' names."""
    write_exported_program(module, example, max_batch, stage / PT2_FILE)
    print_step(f"Compiling {PT2_FILE} with AOTInductor")
    try:
        compile_program(stage / PT2_FILE, stage / COMPILED_FILE)
    except NotCompiledError as error:
        print_note(f"{PT2_FILE} is not compiled: {error}")
        return [PT2_FILE]
    return [PT2_FILE, COMPILED_FILE]


def about(trained: TrainedModel) -> dict[str, str]:
    """What who has `model.onnx` alone needs to know: the classes, and how images are prepared."""
    return {
        "architecture": trained.arch,
        "names": json.dumps({index: entry.label for index, entry in enumerate(trained.classes)}, ensure_ascii=False),
        "display_names": json.dumps([entry.display_name for entry in trained.classes], ensure_ascii=False),
        "image": json.dumps(asdict(trained.image)),
        "input": "RGB pixels, uint8 [N, size, size, 3]; normalised inside",
    }


def write_labels(labels: list[str], path: Path) -> None:
    """Class index -> label, as TorchServe reads it."""
    table = {str(index): label for index, label in enumerate(labels)}
    write_text_atomically(path, json.dumps(table, ensure_ascii=False, indent=2) + "\n")


def prove(run: Run, max_batch: int, stage: Path) -> list[Check]:
    """Run every parity check on the files in `stage`. Raises `ParityError`."""
    table: dict[str, str] = json.loads((stage / LABELS_FILE).read_text(encoding="utf-8"))
    names = check_names([table[str(index)] for index in range(len(table))], run.validation)
    if not names.passed:
        raise ParityError([names])
    reference = Eager(run.trained.model, run.temperature, run.adjustment)
    proof = Proof(folder=stage, validation=run.validation, spec=run.trained.image, max_batch=max_batch)
    return [*check_parity(reference, open_candidates(stage), proof), names]


def describe(config: ExportConfig, run: Run, files: list[str], checks: list[Check], stage: Path) -> Manifest:
    """The bundle's manifest. Once it is written, the folder is a bundle."""
    weights = sha256_of(config.folder / BEST)
    return Manifest(
        name=config.run,
        version=config.version or weights[:8],
        architecture=run.trained.arch,
        classes=run.trained.classes,
        image=run.trained.image,
        max_batch=config.max_batch,
        temperature=run.temperature,
        adjustment=run.adjustment,
        files={name: sha256_of(stage / name) for name in files},
        metrics={split: run.results[split] for split in ("validation", "test")},
        sources=run.sources,
        parity=[check.as_dict() for check in checks],
        versions={"python": platform.python_version(), **{name: version(name) for name in VERSIONED}},
        training={**run.settings, "best_epoch": run.trained.epoch, "weights_sha256": weights},
        data_fingerprint=run.settings["data_fingerprint"],
        exported_at=datetime.now(UTC),
    )
