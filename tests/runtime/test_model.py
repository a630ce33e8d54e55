import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from contract import ManifestError, preprocess
from contract.golden import GoldenError
from contract.manifest import MANIFEST_FILE, Manifest, sha256_of
from runtime import Mode, Model, ProviderError, load_model
from tests.pictures import TINTS, draw, encode


@pytest.fixture(scope="module")
def model(bundle: Path) -> Model:
    return load_model(bundle, batches=(1, 2, 3, 4))


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(bundle, tmp_path / "bundle")


def rewrite(folder: Path, name: str, text: str) -> None:
    """Change a file of the bundle and its hash too, as only an export may."""
    (folder / name).write_text(text)
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["files"][name] = sha256_of(folder / name)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))


def test_a_model_answers_with_what_it_was_taught(model: Model, red_jpeg: bytes) -> None:
    outputs = model.run(preprocess(red_jpeg, model.manifest.image)[None])
    best = model.predictions(outputs.probabilities[0], 1)[0]
    assert (best.label, best.display_name) == ("red", "红色")


def test_outputs_have_the_shapes_of_the_contract(model: Model) -> None:
    outputs = model.run(np.zeros((3, 32, 32, 3), np.uint8))
    assert [values.shape for values in outputs] == [(3, 3), (3, 3), (3, 3, 1, 1)]
    assert {values.dtype for values in outputs} == {np.dtype(np.float32)}


def test_probabilities_are_tempered_and_sum_to_one(model: Model) -> None:
    pixels = np.stack([preprocess(encode(draw((40, 40), tint, 5)), model.manifest.image) for tint in TINTS.values()])
    logits, probabilities, _ = model.run(pixels)
    scaled = np.exp(logits / model.manifest.temperature)
    np.testing.assert_allclose(probabilities, scaled / scaled.sum(axis=1, keepdims=True), rtol=1e-4)


def test_an_image_gets_the_same_answer_in_any_batch(model: Model, red_jpeg: bytes) -> None:
    pixels = preprocess(red_jpeg, model.manifest.image)
    alone = model.run(pixels[None]).logits[0]
    crowd = np.random.default_rng(0).integers(0, 256, (4, *pixels.shape), dtype=np.uint8)
    crowd[2] = pixels
    np.testing.assert_allclose(model.run(crowd).logits[2], alone, rtol=1e-4, atol=1e-5)


def test_golden_files_agree(model: Model) -> None:
    assert model.golden_disagreement < 0.1


def test_changed_golden_logits_stop_the_load(copy: Path) -> None:
    entries = json.loads((copy / "golden/logits.json").read_text())
    entries[3]["logits"][0] += 0.1
    rewrite(copy, "golden/logits.json", json.dumps(entries))
    with pytest.raises(
        GoldenError, match=r"the logits for golden/003.jpg differ from .*: the execution provider computes other values"
    ):
        load_model(copy)


def test_a_changed_golden_picture_stops_the_load(copy: Path) -> None:
    (copy / "golden/001.jpg").write_bytes(encode(draw((40, 40), (0, 0, 0), 1)))
    with pytest.raises(ManifestError, match=r"golden/001.jpg is changed"):
        load_model(copy)


def test_changed_resizing_stops_the_load(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contract.golden.preprocess", lambda data, spec: preprocess(data, spec)[::-1].copy())
    with pytest.raises(GoldenError, match="the image is decoded to other pixels"):
        load_model(copy)


def test_a_half_written_bundle_is_refused(copy: Path) -> None:
    (copy / MANIFEST_FILE).unlink()
    with pytest.raises(ManifestError, match="is not a bundle"):
        load_model(copy)


def test_a_missing_provider_is_an_error_not_a_fallback(bundle: Path) -> None:
    with pytest.raises(ProviderError, match=r"provider cuda is not available .*serve-gpu\.txt"):
        load_model(bundle, Mode("cuda"))


def test_the_manifest_says_how_the_model_was_made(model: Model) -> None:
    manifest: Manifest = model.manifest
    assert manifest.architecture == "resnet18"
    assert manifest.training["best_epoch"] >= 1
    assert manifest.training["weights_sha256"].startswith(manifest.version)
    assert manifest.metrics["test"]["accuracy"] >= 0.8
    assert {"torch", "onnxruntime", "pillow"} <= set(manifest.versions)
    assert len(manifest.data_fingerprint) == 64
