"""runs/<run>/bundle/ -> model_archive/<name>.mar: one file with exactly what TorchServe needs."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

import tyro
import yaml

from contract import Manifest, UserError
from contract.atomic import write_atomically
from contract.console import run_command
from contract.manifest import COMPILED_FILE, FORMAT_VERSION, INT8_FILE, ONNX_FILE, PT2_FILE, TORCHSCRIPT_FILE

Engine = Literal["torchscript", "onnx"]

ROOT = Path(__file__).parent.parent
HANDLER = "image_handler.py"
SETTINGS = "model-config.yaml"
MODEL_FILES = {"torchscript": TORCHSCRIPT_FILE, "onnx": ONNX_FILE}
ON_REQUEST = {PT2_FILE, COMPILED_FILE}
NOT_FOR = {"torchscript": {ONNX_FILE, INT8_FILE, *ON_REQUEST}, "onnx": {TORCHSCRIPT_FILE, *ON_REQUEST}}
PACKAGES = {"torchscript": ("contract", "handlers"), "onnx": ("contract", "handlers", "runtime")}
# The handler file lies at the archive's root instead. Workers don't need the launcher, which starts TorchServe.
LEFT_OUT = ("__pycache__", "*.properties", SETTINGS, HANDLER, "launcher")
LEFT_OUT_FOR = {"torchscript": ("onnx.py",), "onnx": ("torchscript.py",)}
ARCHIVER_MANIFEST = "MAR-INF/MANIFEST.json"
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date in the zip format
READABLE = 0o644 << 16


class ArchiverError(UserError):
    """torch-model-archiver could not pack the bundle."""


@dataclass(frozen=True, kw_only=True)
class ArchiveConfig:
    """Pack a bundle for TorchServe."""

    bundle: Path
    """Folder of the bundle."""
    engine: Engine = "torchscript"
    """Engine that runs the model in TorchServe's workers."""
    store: Path = Path("model_archive")
    """Folder for the archive."""
    settings: Path = ROOT / "handlers" / SETTINGS
    """YAML file with the number of workers and threads and the batch size."""


class Folders:
    """The folders used for packing: `stage` for the input, `work` for the archiver's files, `out` for the result."""

    def __init__(self, root: Path) -> None:
        self.stage, self.work, self.out = root / "stage", root / "work", root / "out"
        for folder in (self.stage, self.work, self.out):
            folder.mkdir()


def archive(config: ArchiveConfig) -> Path:
    """Pack the bundle into `store/<name>.mar` and return that path. The same bundle always gives the same bytes.

    Raises `ManifestError` if the folder is not a bundle or its files have changed, and `ArchiverError`.
    """
    manifest = Manifest.read(config.bundle)
    manifest.verify_files(config.bundle)
    check_settings(config.settings, manifest)
    config.store.mkdir(parents=True, exist_ok=True)
    target = config.store / f"{manifest.name}.mar"
    with tempfile.TemporaryDirectory(prefix="archive-") as temporary:
        folders = Folders(Path(temporary))
        lay_out(config, manifest, folders.stage)
        packed = pack(config, manifest, folders)
        write_atomically(target, lambda file: write_reproducibly(packed, file))
    print(f"Packed {manifest.name}, version {manifest.version}, with {config.engine} into {target}")
    print(f"Next: make torchserve RUN={manifest.name}")
    return target


def check_settings(path: Path, manifest: Manifest) -> None:
    """Check that the batch size is not larger than the largest one with proven parity. Raises `ArchiverError`."""
    batch = yaml.safe_load(path.read_text(encoding="utf-8")).get("batchSize", 1)
    if batch > manifest.max_batch:
        raise ArchiverError(
            f"{path} has batchSize {batch}; expected at most {manifest.max_batch}, "
            "up to which the parity of this bundle is proven: lower it, or export with a larger --max-batch"
        )


def lay_out(config: ArchiveConfig, manifest: Manifest, stage: Path) -> None:
    """Fill `stage` with the files for the archive's root, except the model and the handler."""
    left = NOT_FOR[config.engine]
    files = {name: digest for name, digest in manifest.files.items() if name not in left}
    certificates = manifest.certificates if config.engine == "onnx" else ()
    for name in files:
        if name != MODEL_FILES[config.engine]:
            (stage / name).parent.mkdir(exist_ok=True)
            shutil.copy(config.bundle / name, stage / name)
    replace(manifest, files=files, certificates=certificates, format_version=FORMAT_VERSION).write(stage)
    left_out = shutil.ignore_patterns(*LEFT_OUT, *LEFT_OUT_FOR[config.engine])
    for package in PACKAGES[config.engine]:
        shutil.copytree(ROOT / package, stage / package, ignore=left_out)


def pack(config: ArchiveConfig, manifest: Manifest, folders: Folders) -> Path:
    """Run torch-model-archiver and return the path of the archive. Raises `ArchiverError`."""
    options = {
        "model-name": manifest.name,
        "version": manifest.version,
        "serialized-file": config.bundle / MODEL_FILES[config.engine],
        "handler": ROOT / "handlers" / HANDLER,
        "extra-files": folders.stage,
        "config-file": config.settings,
        "export-path": folders.out,
        # No compression: weights hardly shrink, and the bytes of the archive don't depend on zlib's version.
        "archive-format": "zip-store",
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    # The archiver empties $TMPDIR/<name> before it starts, so it gets a TMPDIR of its own.
    environment = {**os.environ, "TMPDIR": str(folders.work)}
    command = [sys.executable, "-m", "model_archiver.model_packaging", *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ArchiverError(f"torch-model-archiver failed: {result.stderr.strip()[-500:]}")
    return folders.out / f"{manifest.name}.mar"


def write_reproducibly(packed: Path, file: BinaryIO) -> None:
    """Copy the archive without its dates: entries are sorted, times are fixed, and the archiver's date is removed."""
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(source.namelist()):
            data = source.read(name)
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr = READABLE
            target.writestr(entry, _without_date(data) if name == ARCHIVER_MANIFEST else data)


def _without_date(manifest: bytes) -> bytes:
    values = json.loads(manifest)
    values.pop("createdOn", None)
    return json.dumps(values, indent=2).encode()


if __name__ == "__main__":
    run_command(lambda: archive(tyro.cli(ArchiveConfig, prog="python -m export.archive")))
