"""An exported run becomes faster only by proof, and stays as it was where there is none."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from contract import Manifest, UserError, preprocess
from contract.manifest import FORMAT_VERSION, INT8_FILE, sha256_of
from export.fast.certify import certify
from export.fast.config import FastConfig
from runtime import Mode, load_model, modes
from runtime.modes import certificate_of
from tests.fast_bundle import copy_run, fast_config, needs_int8, write_evidence
from tests.pictures import TINTS, draw, encode

pytestmark = needs_int8


@pytest.fixture
def copied(bundle: Path) -> Iterator[Path]:
    """A copy of the exported run."""
    run = copy_run(bundle.parent, "copied")
    yield run
    shutil.rmtree(run)


def state_of(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_certificate_says_what_was_proven_and_how(fast_bundle: Path) -> None:
    manifest = Manifest.read(fast_bundle)
    manifest.verify_files(fast_bundle)
    certificate = certificate_of(Mode("cpu", "int8"), manifest)
    assert certificate is not None
    assert manifest.format_version == FORMAT_VERSION
    assert certificate.file == INT8_FILE
    assert certificate.evidence == "validation and agreement with fp32"
    assert certificate.objects > 29
    assert certificate.bound <= certificate.max_loss == 0.1
    assert set(certificate.made_on) == {"processor", "features", "versions"}
    assert certificate.figures["training"]["images"] > 0


def test_the_int8_graph_computes_in_int8_and_the_head_in_float(fast_bundle: Path) -> None:
    nodes = onnx.load(fast_bundle / INT8_FILE).graph.node
    fed = {node.op_type for node in nodes for name in node.input if "DequantizeLinear" in name}
    assert "Conv" in fed
    assert not {"Gemm", "Softmax"} & fed
    assert (fast_bundle / INT8_FILE).stat().st_size < 0.3 * (fast_bundle / "model.onnx").stat().st_size


def test_the_mode_answers_almost_as_fp32_and_no_more_than_that(fast_bundle: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    exact, fast = (load_model(fast_bundle, mode).run(pixels) for mode in (Mode(), Mode("cpu", "int8")))
    differences = np.abs(exact.probabilities - fast.probabilities)
    assert 0 < differences.max() < 0.3


def test_too_few_images_admit_nothing_and_the_bundle_is_as_before_but_for_its_format(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state_of(copied / "bundle")
    manifest = certify(fast_config(copied, None, max_loss=1.0))
    assert manifest.certificates == ()
    after = state_of(copied / "bundle")
    assert {name for name in before | after if before.get(name) != after.get(name)} <= {"manifest.json"}
    said = capsys.readouterr().out
    assert "more pictures of other objects without a loss (EVIDENCE=folder)" in said
    assert "0 fast modes may serve" in said
    assert (copied / "fast_modes.html").is_file()


def test_a_machine_without_fast_modes_leaves_the_bundle_alone(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(modes, "features", lambda: frozenset[str]())
    before = state_of(copied)
    certify(fast_config(copied, None, modes=()))
    assert state_of(copied) == before
    assert "No fast mode runs on this machine" in capsys.readouterr().out
    with pytest.raises(UserError, match="has no int8 dot products"):
        certify(fast_config(copied, None))


def test_a_training_image_that_has_gone_is_named_and_nothing_is_changed(copied: Path) -> None:
    split = copied / "split.csv"
    lines = split.read_text().splitlines()
    row = next(index for index, line in enumerate(lines) if ",train," in line)
    named = lines[row].split(",")[0]
    lines[row] = lines[row].replace(named, named.replace("(", "(gone "))
    split.write_text("\n".join(lines) + "\n")
    before = state_of(copied / "bundle")
    with pytest.raises(UserError, match=r"gone .*can't be read .*restore it"):
        certify(fast_config(copied, None))
    assert state_of(copied / "bundle") == before
    assert not list(copied.glob(".bundle-*"))


def test_a_graph_that_was_edited_after_export_stops_it(copied: Path) -> None:
    with (copied / "bundle" / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UserError, match=r"model\.onnx is changed"):
        certify(fast_config(copied, None))


def test_a_certificate_of_another_model_is_refused(fast_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(fast_bundle, tmp_path / "bundle"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["certificates"][0]["reference_sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"certificate for cpu int8 that is of another model"):
        load_model(folder)


def test_done_again_it_gives_the_same_graph_and_keeps_certificates_of_modes_that_were_not_tried(
    fast_bundle: Path, tmp_path: Path
) -> None:
    run = copy_run(fast_bundle.parent, "again")
    first = Manifest.read(run / "bundle")
    of_fp32 = {"file": "model.onnx", "graph_sha256": first.files["model.onnx"]}
    other = replace(first.certificates[0], provider="openvino", precision="bf16", **of_fp32)  # type: ignore[arg-type]
    replace(first, certificates=(other,)).write(run / "bundle")
    again = certify(fast_config(run, write_evidence(tmp_path / "more")))
    shutil.rmtree(run)
    assert again.files[INT8_FILE] == first.files[INT8_FILE]
    assert [(each.provider, each.precision) for each in again.certificates] == [("openvino", "bf16"), ("cpu", "int8")]


def test_all_wrong_options_are_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        FastConfig(run="x", max_loss=0, evidence=tmp_path / "none", modes=("cpu:fp4",))
    for part in ("max_loss is 0", "is no folder", "modes has 'cpu:fp4'; expected some of cpu:int8"):
        assert part in str(error.value)


@pytest.mark.slow
def test_where_int8_loses_answers_it_is_tried_once_more_with_layers_in_float(
    fast_bundle: Path, copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = write_evidence(tmp_path / "more", count=60)
    flips = write_doubtful(fast_bundle, tmp_path / "more", most=5)
    manifest = certify(fast_config(copied, evidence))
    said = capsys.readouterr().out
    assert flips > 0
    assert f"{flips} of " in said
    assert re.search(r"Trying int8 with \d layers in float \(node_Conv_\d+", said)
    # The second attempt answers other images otherwise; what it may not do is serve with less than its confidence.
    for each in manifest.certificates:
        assert (each.confidence, bool(each.in_float)) == (0.99, True)


def write_doubtful(bundle: Path, folder: Path, most: int) -> int:
    """Pictures between two classes that int8 answers otherwise than fp32; returns how many were found."""
    exact, fast = load_model(bundle), load_model(bundle, Mode("cpu", "int8"))
    spec, rng, found = exact.manifest.image, np.random.default_rng(0), 0
    tints = [np.array(tint, float) for tint in TINTS.values()]
    for number in range(3000):
        one, other = rng.choice(len(tints), 2, replace=False)
        tint = tints[one] + (tints[other] - tints[one]) * rng.uniform(0.3, 0.7)
        data = encode(draw((40, 40), tuple(tint.astype(int).tolist()), seed=90_000 + number), "PNG")
        pixels = preprocess(data, spec)[None]
        if exact.run(pixels).logits.argmax() != fast.run(pixels).logits.argmax():
            (folder / f"doubtful {number}.png").write_bytes(data)
            found += 1
        if found == most:
            break
    return found
