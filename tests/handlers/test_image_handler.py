"""The handler on a real model with either engine, without Java and without TorchServe."""

import base64
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from contract import Manifest, ManifestError
from contract.golden import GoldenError
from contract.manifest import sha256_of
from handlers.engines import ArchiveError, cores_for
from handlers.image_handler import ImageHandler
from runtime import ProviderError, load_model, tuning
from tests.commands import run_python
from tests.fast_bundle import needs_int8
from tests.handlers.context import WorkerContext
from tests.oddities import NO_PICTURES, ODD_PICTURES
from tests.pictures import TINTS, draw, encode

GIF = NO_PICTURES["gif"]
BLUE = encode(draw((64, 48), TINTS["blue"], seed=8))


@pytest.fixture(scope="module", autouse=True)
def _threads_of_a_worker_are_its_own() -> Iterator[None]:
    """A worker is a process of its own; this one is shared with tests that compare bits, which threads change."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=["model.pt", "model.onnx"])
def model_file(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def handler(bundle: Path, model_file: str) -> ImageHandler:
    handler = ImageHandler()
    handler.initialize(WorkerContext(bundle, model_file))
    return handler


@pytest.fixture
def context(bundle: Path, model_file: str) -> WorkerContext:
    return WorkerContext(bundle, model_file)


def ask(handler: ImageHandler, context: WorkerContext, *bodies: object) -> list[Any]:
    return [json.loads(text) for text in handler.handle([{"body": body} for body in bodies], context)]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_the_answer_is_label_to_probability(handler: ImageHandler, context: WorkerContext, red_jpeg: bytes) -> None:
    (answer,) = ask(handler, context, red_jpeg)
    assert next(iter(answer)) == "red"
    assert set(answer) == {"red", "blue", "grün"}
    assert context.statuses == {0: (200, "OK")}
    assert context.content_types == {0: "application/json"}


def test_every_odd_picture_gets_the_lean_servers_answer(
    handler: ImageHandler, context: WorkerContext, bundle: Path
) -> None:
    model = load_model(bundle)
    pictures = list(ODD_PICTURES.values())
    for data, answer in zip(pictures, ask(handler, context, *pictures), strict=True):
        pixels = handler.preprocess([{"body": data}])[1][0].pixels  # type: ignore[union-attr]
        expected = model.predictions(model.run(pixels[None]).probabilities[0], 5)
        assert answer == pytest.approx({entry.label: entry.probability for entry in expected}, rel=1e-3, abs=1e-4)


def test_a_bad_picture_fails_alone(handler: ImageHandler, context: WorkerContext, red_jpeg: bytes) -> None:
    bodies = [red_jpeg, GIF, BLUE, red_jpeg[:-200], b"", red_jpeg, BLUE, red_jpeg]
    answers = ask(handler, context, *bodies)
    assert [context.statuses[index][0] for index in range(8)] == [200, 415, 200, 400, 400, 200, 200, 200]
    assert [next(iter(answers[index])) for index in (0, 2, 5, 6, 7)] == ["red", "blue", "red", "blue", "red"]
    assert answers[1] == {
        "error": {"code": "unsupported_type", "message": "this is GIF; expected JPEG, PNG, WebP, HEIC, AVIF or BMP"}
    }
    assert answers[3]["error"]["code"] == answers[4]["error"]["code"] == "unreadable_image"
    assert context.metrics.values["RefusedRequests"] == 3


def test_a_batch_of_nothing_but_bad_pictures_is_answered(handler: ImageHandler, context: WorkerContext) -> None:
    answers = ask(handler, context, *NO_PICTURES.values())
    assert all(set(answer) == {"error"} for answer in answers)
    assert [context.statuses[index][0] for index in range(6)] == [400, 400, 415, 415, 415, 413]
    assert context.statuses[5] == (413, HTTPStatus(413).phrase)


def test_a_malformed_request_fails_alone(handler: ImageHandler, context: WorkerContext, red_jpeg: bytes) -> None:
    answers = ask(handler, context, {"inputs": 5}, red_jpeg, {"instances": []})
    assert next(iter(answers[1])) == "red"
    assert [context.statuses[index][0] for index in range(3)] == [422, 200, 422]


def test_version_1_answers_for_many(handler: ImageHandler, context: WorkerContext, red_jpeg: bytes) -> None:
    many = {"instances": [{"b64": encoded(picture)} for picture in [red_jpeg, BLUE] * 10]}
    (answer, alone) = ask(handler, context, many, red_jpeg)
    assert [next(iter(entry)) for entry in answer["predictions"]] == ["red", "blue"] * 10
    assert answer["predictions"][0] == pytest.approx(alone, abs=1e-5)


def test_version_1_says_which_picture_is_bad(handler: ImageHandler, context: WorkerContext, red_jpeg: bytes) -> None:
    (answer,) = ask(handler, context, {"instances": [encoded(red_jpeg), encoded(GIF)]})
    assert context.statuses[0][0] == 415
    assert answer["error"]["message"].startswith("image 2 of 2: this is GIF")


def test_version_2_answers_in_tensors(handler: ImageHandler, context: WorkerContext, red_jpeg: bytes) -> None:
    tensor = {"name": "image", "shape": [2], "datatype": "BYTES", "data": [encoded(red_jpeg), encoded(BLUE)]}
    (answer,) = ask(handler, context, {"id": "seven", "inputs": [tensor]})
    label, probabilities, classes = answer.pop("outputs")
    assert answer == {"model_name": "tiny", "model_version": handler.manifest.version, "id": "seven"}
    assert label == {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["red", "blue"]}
    assert (probabilities["shape"], probabilities["datatype"]) == ([2, 3], "FP32")
    assert classes == {"name": "classes", "datatype": "BYTES", "shape": [3], "data": ["blue", "grün", "red"]}
    assert np.reshape(probabilities["data"], (2, 3)).argmax(axis=1).tolist() == [2, 0]


def test_version_2_errors_are_texts(handler: ImageHandler, context: WorkerContext) -> None:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [encoded(GIF)]}
    (answer,) = ask(handler, context, {"inputs": [tensor]})
    assert answer == {"error": "image 1 of 1: this is GIF; expected JPEG, PNG, WebP, HEIC, AVIF or BMP"}
    assert context.statuses[0][0] == 415


def test_an_explanation_is_the_best_classes_activation_map(
    handler: ImageHandler, context: WorkerContext, bundle: Path, red_jpeg: bytes
) -> None:
    context.explained = {1}
    prediction, explanation = ask(handler, context, red_jpeg, red_jpeg)
    assert (explanation["label"], explanation["display_name"]) == ("red", "红色")
    assert explanation["probability"] == pytest.approx(prediction["red"])
    model = load_model(bundle)
    pixels = handler.preprocess([{"body": red_jpeg}])[1][0].pixels  # type: ignore[union-attr]
    expected = model.run(pixels[None]).activation_map[0, 2]
    np.testing.assert_allclose(explanation["activation_map"], expected, rtol=1e-3, atol=1e-4)


def test_an_explanation_says_which_part_the_model_saw(handler: ImageHandler, context: WorkerContext) -> None:
    context.explained = {0}
    (explanation,) = ask(handler, context, encode(draw((200, 100), TINTS["red"], 1)))
    seen = handler.manifest.image.size / handler.manifest.image.resize
    assert explanation["view"] == pytest.approx(
        {"left": 0.5 - seen / 4, "right": 0.5 + seen / 4, "top": 0.5 - seen / 2, "bottom": 0.5 + seen / 2}
    )


def test_kserve_explanations_have_their_forms(handler: ImageHandler, context: WorkerContext, red_jpeg: bytes) -> None:
    context.explained = {0, 1}
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [encoded(red_jpeg)]}
    first, second = ask(handler, context, {"instances": [encoded(red_jpeg)]}, {"inputs": [tensor]})
    assert first["explanations"][0]["label"] == "red"
    assert [entry["name"] for entry in second["outputs"]] == ["label", "activation_map"]
    assert second["outputs"][1]["shape"] == [1, *np.shape(first["explanations"][0]["activation_map"])]


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(bundle, tmp_path / "copy")


def test_a_model_that_disagrees_does_not_load_and_says_why_in_one_line(
    copy: Path, model_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    entries = json.loads((copy / "golden/logits.json").read_text())
    entries[0]["logits"][0] += 0.1
    (copy / "golden/logits.json").write_text(json.dumps(entries))
    manifest = Manifest.read(copy)
    files = {**manifest.files, "golden/logits.json": sha256_of(copy / "golden/logits.json")}
    replace(manifest, files=files).write(copy)
    with pytest.raises(GoldenError), caplog.at_level(logging.ERROR):
        ImageHandler().initialize(WorkerContext(copy, model_file))
    (record,) = caplog.records
    assert record.message.startswith("MODEL NOT LOADED: the logits for golden/000.jpg differ")
    assert "\n" not in record.message


def test_a_changed_model_file_is_never_opened(copy: Path, model_file: str) -> None:
    with (copy / model_file).open("r+b") as file:
        file.seek(1000)
        file.write(b"!")
    with pytest.raises(ManifestError, match=f"{model_file} is changed"):
        ImageHandler().initialize(WorkerContext(copy, model_file))


def test_an_unknown_model_file_is_refused(bundle: Path) -> None:
    with pytest.raises(ArchiveError, match=r"index_to_name.json; expected .pt or .onnx"):
        ImageHandler().initialize(WorkerContext(bundle, "index_to_name.json"))


def test_code_from_elsewhere_than_the_archive_is_refused(copy: Path, model_file: str) -> None:
    (copy / "contract").mkdir()
    with pytest.raises(ArchiveError, match="start with PYTHONPATH unset"):
        ImageHandler().initialize(WorkerContext(copy, model_file))


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores_for({}) == cores_for({"handler": None}) == 8
    assert cores_for({"minWorkers": 1, "maxWorkers": 4}) == 2
    assert cores_for({"maxWorkers": 16}) == 1
    assert cores_for({"maxWorkers": 4, "handler": {"threads": 3}}) == 3


def test_the_handler_file_defines_one_class_and_needs_no_torchserve() -> None:
    code = (
        "import sys, handlers.image_handler as module\n"
        "classes = [value for value in vars(module).values() if isinstance(value, type)]\n"
        "assert [entry.__name__ for entry in classes if entry.__module__ == module.__name__] == ['ImageHandler']\n"
        "assert not {'ts', 'torch', 'onnxruntime'} & set(sys.modules)\n"
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("wanted", "mode"), [({}, "cpu int8"), ({"precision": "int8"}, "cpu int8"), ({"precision": "fp32"}, "cpu fp32")]
)
def test_a_worker_runs_the_fastest_admitted_mode_or_the_one_that_was_chosen(
    fast_bundle: Path, red_jpeg: bytes, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, str], mode: str
) -> None:
    speeds = {"cpu int8": 2.0, "cpu fp32": 1.0}
    monkeypatch.setattr(tuning, "images_per_second", lambda session, size: speeds[str(session.mode)])
    context = WorkerContext(fast_bundle, "model.onnx")
    context.model_yaml_config["handler"] = wanted
    handler = ImageHandler()
    handler.initialize(context)
    assert handler.mode == mode
    (answer,) = ask(handler, context, red_jpeg)
    assert next(iter(answer)) == "red"


@needs_int8
def test_a_worker_does_not_run_a_precision_without_a_certificate(bundle: Path) -> None:
    context = WorkerContext(bundle, "model.onnx")
    context.model_yaml_config["handler"] = {"precision": "int8"}
    with pytest.raises(ProviderError, match="has no certificate for cpu int8"):
        ImageHandler().initialize(context)
