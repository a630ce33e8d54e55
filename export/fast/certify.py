"""The path to fast modes: an exported run -> an int8 graph -> every mode judged beside fp32 -> certificates.

The bundle is replaced as a whole once all is done; until then, and after any failure, it stays as it was.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contract import Manifest
from contract.certificate import Certificate
from contract.manifest import FORMAT_VERSION, INT8_FILE, MANIFEST_FILE, ONNX_FILE, sha256_of
from dataset.config import SAME_OBJECT
from evaluation.gate.page import write_page
from export.fast.attempts import Attempt, Attempts
from export.fast.config import FastConfig
from export.fast.evidence import read_evidence
from export.fast.summary import print_admitted, print_evidence, print_modes, print_none
from export.staging import BUNDLE, staged
from runtime import Mode, Session
from runtime.machine import features, processor
from runtime.modes import REFERENCE, modes_here, require_here
from runtime.providers import versions_of
from runtime.tuning import images_per_second
from training.lock import hold_run
from training.run_files import read_config

PAGE = "fast_modes.html"


def certify(config: FastConfig) -> Manifest:
    """Judge the fast modes and put certificates of those admitted into the run's bundle. Raises `UserError`."""
    settings = read_config(config.folder)  # for a run that is not there, no lock is left behind
    with hold_run(config.folder):
        return _certify(config, float(settings.get("near_duplicates", SAME_OBJECT)))


def _certify(config: FastConfig, near_duplicates: float) -> Manifest:
    bundle = config.folder / BUNDLE
    manifest = Manifest.read(bundle)
    manifest.verify_files(bundle)
    labels = [entry.label for entry in manifest.classes]
    modes, slower = _choose_modes(config, bundle, manifest)
    if not modes:
        print_none(slower)
        return manifest
    evidence = read_evidence(config.folder, labels, config.evidence, near_duplicates)
    print_evidence(evidence)
    with staged(bundle) as stage:
        shutil.copytree(bundle, stage, dirs_exist_ok=True)
        found = Attempts(stage, manifest, evidence, config.max_loss / 100).run(modes)
        described = _describe(manifest, found, stage)
        described.write(stage)
    page = config.folder / PAGE
    results = {str(mode): (pairs, found.verdicts[mode]) for mode, pairs in found.pairs.items()}
    print_modes(results, found.quantised, slower)
    write_page(described, results, evidence.counted, slower, page)
    print_admitted(described, page)
    return described


def _choose_modes(config: FastConfig, bundle: Path, manifest: Manifest) -> tuple[list[Mode], list[str]]:
    """The modes to try, and a line for each other one of this machine. Raises `ProviderError`."""
    for mode in config.chosen:
        require_here(mode)
    if config.chosen:
        return config.chosen, []
    graph, size = (bundle / ONNX_FILE).read_bytes(), manifest.image.size
    here = [mode for mode in modes_here() if mode.is_fast]
    # An int8 graph is not there yet; whether it is faster is measured when it is served.
    other = [mode for mode in here if mode.precision != "int8"]
    speed = {mode: images_per_second(Session(graph, mode), size) for mode in (REFERENCE, *other)} if other else {}
    slower = [mode for mode in other if speed[mode] <= speed[REFERENCE]]
    told = [
        f"{mode}: not tried, as it is slower than fp32 here ({speed[mode]:.1f} against {speed[REFERENCE]:.1f} images/s)"
        for mode in slower
    ]
    return [mode for mode in here if mode not in slower], told


def _describe(manifest: Manifest, found: Attempt, stage: Path) -> Manifest:
    """The manifest with certificates of what was admitted, and the int8 graph among its files only then.

    A certificate of an earlier time, for a mode that was not tried now, stays if its graph is still the same.
    """
    files = {name: digest for name, digest in manifest.files.items() if name != INT8_FILE}
    if any(mode.precision == "int8" for mode in found.admitted):
        files[INT8_FILE] = sha256_of(stage / INT8_FILE)
    else:
        (stage / INT8_FILE).unlink(missing_ok=True)
    (stage / MANIFEST_FILE).unlink()
    tried = {(mode.provider, mode.precision) for mode in found.verdicts}
    kept = [
        each
        for each in manifest.certificates
        if (each.provider, each.precision) not in tried and files.get(each.file) == each.graph_sha256
    ]
    certificates = (*kept, *_certificates(found, files))
    return replace(manifest, files=files, certificates=certificates, format_version=FORMAT_VERSION)


def _certificates(found: Attempt, files: dict[str, str]) -> Sequence[Certificate]:
    made_on = {"processor": processor(), "features": ", ".join(sorted(features()))}
    in_float = found.quantised.in_float if found.quantised else ()
    return [
        Certificate(
            provider=mode.provider,
            precision=mode.precision,
            file=mode.file,
            graph_sha256=files[mode.file],
            reference_sha256=files[ONNX_FILE],
            in_float=in_float if mode.precision == "int8" else (),
            made_on={**made_on, "versions": versions_of(mode.provider)},
            **found.verdicts[mode].as_dict(),
        )
        for mode in found.admitted
    ]
