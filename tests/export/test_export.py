"""A whole export succeeds; every way in which it could lie ends in a ParityError and no bundle."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch._inductor import config as inductor

from contract import ImageSpec, Manifest, UserError
from contract.manifest import LABELS_FILE, ONNX_FILE, TORCHSCRIPT_FILE
from export import export as export_module
from export.config import ExportConfig
from export.export import export
from export.graphs.compiled import load_compiled
from export.graphs.exported_program import load_exported_program
from export.graphs.torchscript import load_torchscript
from export.parity import ParityError
from runtime import load_model
from tests.commands import call_module
from tests.fast_bundle import copy_run
from training.errors import CheckpointError
from training.learning.checkpoint import load_best


@pytest.fixture
def config(run_folder: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExportConfig:
    """An export of a copy of the run, whose graphs are the ones exported before: seconds less for each test."""
    for name in ("write_onnx", "write_torchscript"):
        monkeypatch.setattr(export_module, name, reuse(bundle))
    shutil.copytree(run_folder, tmp_path / "run", ignore=shutil.ignore_patterns("bundle", "last.pt"))
    csv = (tmp_path / "run" / "split.csv").read_text(encoding="utf-8").splitlines()
    moved = [line.replace("../../", f"{run_folder.parent.parent}/") for line in csv]
    (tmp_path / "run" / "split.csv").write_text("\n".join(moved) + "\n", encoding="utf-8")
    return ExportConfig(run="run", runs=tmp_path)


def reuse(bundle: Path, tamper: Callable[[Path], None] = lambda path: None) -> Callable[..., None]:
    def write(*arguments: object) -> None:
        path = arguments[-1]
        assert isinstance(path, Path)
        shutil.copy(bundle / path.name, path)
        tamper(path)

    return write


def must_fail(config: ExportConfig, message: str) -> None:
    """The export raises, and leaves nothing that could be taken for a bundle."""
    with pytest.raises(ParityError, match=message):
        export(config)
    assert not (config.folder / "bundle").exists()
    assert not list(config.folder.glob("**/manifest.json"))


def test_export_writes_the_bundle_of_the_design(bundle: Path) -> None:
    names = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert names == {
        "manifest.json", "model.onnx", "model.pt", "index_to_name.json", "golden/logits.json",
        *(f"golden/{number:03}.jpg" for number in range(6)),
    }  # fmt: skip
    assert set(Manifest.read(bundle).files) == names - {"manifest.json"}
    assert json.loads((bundle / LABELS_FILE).read_text(encoding="utf-8")) == {"0": "blue", "1": "grün", "2": "red"}


def test_onnx_is_one_file_with_a_free_batch(bundle: Path) -> None:
    graph = onnx.load(bundle / ONNX_FILE)
    assert next(entry.version for entry in graph.opset_import if not entry.domain) >= 18
    assert not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.graph.initializer)
    (image,) = graph.graph.input
    assert image.name == "image"
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    batch, *rest = image.type.tensor_type.shape.dim
    assert batch.dim_param
    assert [entry.dim_value for entry in rest] == [32, 32, 3]
    assert [entry.name for entry in graph.graph.output] == ["logits", "probabilities", "activation_map"]


def test_torchscript_answers_alike(bundle: Path, run_folder: Path) -> None:
    images = torch.randint(0, 256, (5, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode():
        logits, _, activation_map = load_torchscript(bundle / TORCHSCRIPT_FILE)(images)
        classifier = load_best(run_folder).model
        torch.testing.assert_close(logits, classifier(images), rtol=1e-4, atol=1e-5)
    means = activation_map.mean(dim=(2, 3)) + classifier.backbone.fc.bias
    torch.testing.assert_close(means, logits, rtol=1e-3, atol=1e-4)


def test_the_manifest_holds_the_whole_parity_table(bundle: Path) -> None:
    checks = Manifest.read(bundle).parity
    assert {(check["level"], check["candidate"]) for check in checks} == {
        ("tensor", "torchscript cpu"), ("tensor", "onnxruntime cpu"),
        ("bytes", "eager"), ("bytes", "torchscript cpu"), ("bytes", "onnxruntime cpu"),
        ("decisions", "eager"), ("decisions", "torchscript cpu"), ("decisions", "onnxruntime cpu"),
        ("decisions", "labels"),
    }  # fmt: skip
    assert {check["what"] for check in checks if check["level"] == "tensor"} == {
        f"{kind}, batch {batch}" for kind in ("images", "noise") for batch in (1, 2, 3, 8, 32)
    }
    assert all(check["disagreement"] <= 1 and not check["problem"] for check in checks)


def test_the_onnx_file_alone_tells_its_classes_and_how_images_are_prepared(bundle: Path) -> None:
    manifest = Manifest.read(bundle)
    told = {entry.key: entry.value for entry in onnx.load(bundle / "model.onnx").metadata_props}
    assert json.loads(told["names"]) == {str(index): entry.label for index, entry in enumerate(manifest.classes)}
    assert json.loads(told["display_names"]) == [entry.display_name for entry in manifest.classes]
    assert json.loads(told["image"])["size"] == manifest.image.size
    assert told["architecture"] == manifest.architecture


def test_a_second_export_replaces_the_bundle(config: ExportConfig) -> None:
    (config.folder / ".bundle-killed").mkdir()
    export(config)
    first = Manifest.read(config.folder / "bundle")
    export(ExportConfig(run="run", runs=config.runs, version="2"))
    assert Manifest.read(config.folder / "bundle").version == "2"
    assert Manifest.read(config.folder / "bundle").files == first.files
    assert not list(config.folder.glob(".bundle-*"))


def test_a_failed_export_keeps_the_bundle_before_it(
    config: ExportConfig, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = export(config)
    before = (good / "manifest.json").read_bytes()
    monkeypatch.setattr(export_module, "write_onnx", reuse(bundle, nudge_weight))
    with pytest.raises(ParityError):
        export(config)
    assert (good / "manifest.json").read_bytes() == before


def nudge_weight(path: Path) -> None:
    """Add 0.01 to one weight of the last layer."""
    graph = onnx.load(path)
    head = next(tensor for tensor in graph.graph.initializer if list(tensor.dims) == [3, 512])
    values = numpy_helper.to_array(head).copy()
    values[1, 7] += 0.01
    head.CopyFrom(numpy_helper.from_array(values, head.name))
    onnx.save(graph, path)


def test_a_nudged_weight_fails(config: ExportConfig, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "write_onnx", reuse(bundle, nudge_weight))
    must_fail(config, r"onnxruntime cpu, noise, batch 1: logits differs by .* times the tolerance")


def test_a_nudged_torchscript_fails(config: ExportConfig, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nudge(path: Path) -> None:
        module = load_torchscript(path)
        with torch.no_grad():
            next(p for name, p in module.named_parameters() if name.endswith("fc.bias"))[0] += 0.01
        with pytest.warns(FutureWarning):
            torch.jit.save(module, path)

    monkeypatch.setattr(export_module, "write_torchscript", reuse(bundle, nudge))
    must_fail(config, r"torchscript cpu, noise, batch 32: logits differs")


def test_permuted_labels_fail(config: ExportConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    original = export_module.write_labels
    monkeypatch.setattr(export_module, "write_labels", lambda labels, path: original(labels[::-1], path))
    must_fail(
        config, "class names: index 0 has the label red, but its images have the label blue; index 2 has the label blue"
    )


def test_a_fixed_batch_axis_fails(config: ExportConfig, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fix_batch(path: Path) -> None:
        graph = onnx.load(path)
        graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
        onnx.save(graph, path)

    monkeypatch.setattr(export_module, "write_onnx", reuse(bundle, fix_batch))
    must_fail(config, r"onnxruntime cpu, images, batch 1: it does not run")


def test_a_changed_resize_fails(config: ExportConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def nearest(image, spec: ImageSpec):  # type: ignore[no-untyped-def]
        return np.asarray(image.resize((spec.size, spec.size), 0))

    monkeypatch.setattr("contract.image.decoding.resize", nearest)
    must_fail(config, r"decisions, eager, validation, ./6 same class: ")


def test_missing_outputs_fail(config: ExportConfig, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def swap_outputs(path: Path) -> None:
        graph = onnx.load(path)
        graph.graph.output[0].name, graph.graph.output[1].name = "probabilities", "logits"
        for node in graph.graph.node:
            for names in (node.input, node.output):
                names[:] = [{"logits": "probabilities", "probabilities": "logits"}.get(name, name) for name in names]
        onnx.save(graph, path)

    monkeypatch.setattr(export_module, "write_onnx", reuse(bundle, swap_outputs))
    must_fail(config, "onnxruntime cpu, images, batch 1: logits differs")


def test_changed_validation_images_are_named(config: ExportConfig) -> None:
    path = config.folder / "split.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("blue (", "blue ["), encoding="utf-8")
    with pytest.raises(UserError, match=r"2 images are missing or have changed since training, the first is .*blue"):
        export(config)


def test_an_unfinished_run_is_refused(config: ExportConfig) -> None:
    (config.folder / "results.json").unlink()
    with pytest.raises(CheckpointError, match="finish training run first"):
        export(config)


def test_a_missing_run_is_one_line_and_exit_1(tmp_path: Path) -> None:
    result = call_module("export", "--run", "none", "--runs", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr == f"error: {tmp_path}/none/config.json does not exist; train none first\n"


@pytest.mark.slow
def test_the_forms_that_follow_torchscript_are_proven_too(bundle: Path) -> None:
    if not shutil.which("g++"):
        pytest.skip("no C++ compiler here")
    run = copy_run(bundle.parent, "pt2")
    folder = export(ExportConfig(run=run.name, runs=run.parent, pt2=True))
    manifest = Manifest.read(folder)
    manifest.verify_files(folder)
    assert {"model.pt2", "model.compiled.pt2"} <= set(manifest.files)
    for candidate in ("torch.export cpu", "aotinductor cpu"):
        proven = [check for check in manifest.parity if check["candidate"] == candidate]
        assert {check["level"] for check in proven} == {"tensor", "bytes", "decisions"}
    pixels = torch.randint(0, 256, (5, 32, 32, 3), dtype=torch.uint8)
    expected = load_model(folder).run(pixels.numpy()).logits
    for program in (load_exported_program(folder / "model.pt2"), load_compiled(folder / "model.compiled.pt2")):
        np.testing.assert_allclose(program(pixels)[0].detach().numpy(), expected, rtol=1e-3, atol=1e-4)
    shutil.rmtree(run)


# A compiler that tells its version and compiles nothing, as where a system's headers are missing.
BROKEN = """#!/bin/sh
[ "$1" = --version ] && echo "g++ 12.2.0" && exit
echo "fatal error: stdio.h: No such file or directory" >&2
exit 1
"""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "why"), [("none", "no C++ compiler was found"), ("broken", "stdio.h: No such file")])
def test_without_a_compiler_that_works_the_rest_is_exported_and_it_is_said(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, why: str
) -> None:
    (tmp_path / "broken").write_text(BROKEN)
    (tmp_path / "broken").chmod(0o755)
    run = copy_run(bundle.parent, f"pt2-{name}")
    with inductor.patch({"cpp.cxx": (str(tmp_path / name),)}):
        folder = export(ExportConfig(run=run.name, runs=run.parent, pt2=True))
    Manifest.read(folder).verify_files(folder)
    assert (folder / "model.pt2").exists()
    assert not (folder / "model.compiled.pt2").exists()
    said = capsys.readouterr().out
    assert "note: model.pt2 is not compiled: " in said
    assert why in said
    shutil.rmtree(run)
