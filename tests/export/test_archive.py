"""Archives from a real bundle, taken apart and run where nothing of the repository is in reach."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from contract import Manifest, ManifestError
from contract.manifest import sha256_of
from export.archive import ArchiveConfig, ArchiverError, Engine, archive
from tests.commands import run_module
from tests.oddities import NO_PICTURES, ODD_PICTURES

COMMON = {
    "MAR-INF/MANIFEST.json",
    "contract/image/decoding.py",
    "golden/000.jpg",
    "golden/logits.json",
    "handlers/requests.py",
    "image_handler.py",
    "index_to_name.json",
    "manifest.json",
    "model-config.yaml",
}
OWN = {
    "torchscript": {"model.pt", "handlers/torchscript.py"},
    "onnx": {"model.onnx", "handlers/onnx.py", "runtime/session.py"},
}
ENGINES: list[Engine] = ["torchscript", "onnx"]

# Runs in a child process with the archive's folder alone on its path, as in a worker of TorchServe.
WORKER = """
import json, sys
from pathlib import Path
from types import SimpleNamespace

import contract, image_handler

folder, pictures = Path(sys.argv[1]), [Path(name).read_bytes() for name in sys.argv[2:]]
assert Path(contract.__file__).parent == folder / "contract"
statuses = {}
context = SimpleNamespace(
    system_properties={"model_dir": str(folder), "gpu_id": None, "batch_size": 8},
    manifest=json.loads((folder / "MAR-INF/MANIFEST.json").read_text()),
    model_yaml_config={},
    metrics=SimpleNamespace(add_time=lambda *_: None, add_counter=lambda *_: None),
    get_request_header=lambda index, key: None,
    set_response_status=lambda code, phrase, index: statuses.__setitem__(index, code),
    set_response_content_type=lambda index, value: None,
)
handler = image_handler.ImageHandler()
handler.initialize(context)
answers = [json.loads(text) for text in handler.handle([{"body": data} for data in pictures], context)]
engines = sorted({"torch", "onnxruntime"} & set(sys.modules))
print(json.dumps([statuses, [next(iter(answer)) for answer in answers], engines]))
"""


def pack(bundle: Path, store: Path, engine: Engine = "torchscript") -> Path:
    return archive(ArchiveConfig(bundle=bundle, store=store, engine=engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_archive_holds_what_its_engine_needs_and_no_more(bundle: Path, tmp_path: Path, engine: Engine) -> None:
    with zipfile.ZipFile(pack(bundle, tmp_path, engine)) as packed:
        names = set(packed.namelist())
        described = json.loads(packed.read("MAR-INF/MANIFEST.json"))["model"]
    other = OWN["onnx" if engine == "torchscript" else "torchscript"]
    assert names >= COMMON | OWN[engine]
    assert not names & (other | {"handlers/image_handler.py", "handlers/config.properties"})
    assert not [name for name in names if "launcher" in name or "__pycache__" in name]
    assert described["modelName"] == "tiny"
    assert described["modelVersion"] == Manifest.read(bundle).version


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_bundle_gives_the_same_bytes(bundle: Path, tmp_path: Path, engine: Engine) -> None:
    first = sha256_of(pack(bundle, tmp_path / "first", engine))
    moved = shutil.copytree(bundle, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert sha256_of(pack(moved, tmp_path / "second", engine)) == first


@pytest.mark.parametrize("engine", ENGINES)
def test_an_archive_works_far_from_the_repository(bundle: Path, tmp_path: Path, engine: Engine) -> None:
    with zipfile.ZipFile(pack(bundle, tmp_path, engine)) as packed:
        packed.extractall(tmp_path / "worker")
    files = {"red": ODD_PICTURES["cmyk"], "rubbish": NO_PICTURES["rubbish"], "blue": ODD_PICTURES["exif 6"]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    result = subprocess.run(
        [sys.executable, "-c", WORKER, str(tmp_path / "worker"), *(str(tmp_path / name) for name in files)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "worker")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    statuses, first_keys, engines = json.loads(result.stdout)
    assert statuses == {"0": 200, "1": 415, "2": 200}
    assert first_keys == ["red", "error", "blue"]
    assert engines == ["torch" if engine == "torchscript" else "onnxruntime"]


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="is not a bundle"):
        pack(tmp_path, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_changed_bundle_is_refused_and_the_old_archive_stays(bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    before = sha256_of(pack(copy, tmp_path / "store"))
    with (copy / "model.pt").open("ab") as file:
        file.write(b"!")
    with pytest.raises(ManifestError, match=r"model.pt is changed"):
        pack(copy, tmp_path / "store")
    assert sha256_of(tmp_path / "store" / "tiny.mar") == before


def test_batches_that_were_not_proven_are_refused(bundle: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("batchSize: 64")
    with pytest.raises(ArchiverError, match="has batchSize 64; expected at most 32, "):
        archive(ArchiveConfig(bundle=bundle, store=tmp_path, settings=settings))


def test_a_store_that_is_a_file_ends_in_one_line(bundle: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.write_text("a file")
    result = run_module("export.archive", "--bundle", str(bundle), "--store", str(store))
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "store" in result.stderr
