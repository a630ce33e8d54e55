"""Every way of asking, and every way of asking wrongly."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.json_images import MAX_PICTURES
from handlers.requests import read_request
from tests.effort import times

PICTURE = b"\xff\xd8\xff picture"
TEXT = base64.b64encode(PICTURE).decode()


def v2_of(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [TEXT], **changes}
    return {"id": "7", "inputs": [tensor]}


@pytest.mark.parametrize(
    "parts",
    [
        {"body": bytearray(PICTURE)},
        {"data": bytearray(PICTURE)},
        {"file": PICTURE},
        {"image": PICTURE, "top_k": b"3"},
        {"body": TEXT},
        {"body": f"data:image/jpeg;base64,{TEXT}"},
        {"body": f"{TEXT[:8]}\n{TEXT[8:]}\n"},
        {"body": {"b64": TEXT}},
        {"body": {"data": TEXT}},
        {"body": {"image_bytes": {"b64": TEXT}, "key": "1"}},
        {"body": bytearray(json.dumps({"b64": TEXT}).encode())},
        {"body": bytearray(json.dumps(TEXT).encode())},
    ],
    ids=str,
)
def test_a_picture_is_found_in_every_form(parts: dict[str, Any]) -> None:
    request = read_request(parts)
    assert (request.protocol, request.pictures, request.error) == ("torchserve", (PICTURE,), None)


@pytest.mark.parametrize("instance", [TEXT, {"b64": TEXT}, {"data": TEXT}, {"image": {"b64": TEXT}}])
def test_version_1_holds_many(instance: object) -> None:
    request = read_request({"body": {"instances": [instance, instance]}})
    assert (request.protocol, request.pictures, request.error) == ("kserve_v1", (PICTURE, PICTURE), None)


@pytest.mark.parametrize("shape", [[1], [1, 1], [-1], [-1, 1]])
def test_version_2_keeps_its_id(shape: list[int]) -> None:
    request = read_request({"body": v2_of(shape=shape)})
    assert (request.protocol, request.pictures, request.id, request.outputs) == ("kserve_v2", (PICTURE,), "7", None)


def test_version_2_takes_the_outputs_asked_for() -> None:
    assert read_request({"body": {**v2_of(), "outputs": [{"name": "label"}]}}).outputs == frozenset({"label"})


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, (422, "missing_file", "send bytes as image/jpeg")),
        ({"picture": PICTURE}, (422, "missing_file", "JSON as application/json")),
        ({"data": PICTURE, "file": PICTURE}, (422, "too_many_files", "2 images; this route takes one image")),
        ({"body": b'{"b64": '}, (400, "malformed_json", "begins like JSON")),
        ({"body": b"[" * 100_000}, (400, "malformed_json", "begins like JSON")),
        ({"body": {"instances": ["not base64!"]}}, (400, "malformed_base64", "not valid base64")),
        ({"body": {"b64": "grün"}}, (400, "malformed_base64", "not valid base64")),
        ({"body": {"leaf": TEXT}}, (422, "missing_file", '{"b64": "/9j/4AAQ…"}')),
        ({"body": 7}, (422, "missing_file", "no image in the JSON")),
        ({"body": {"instances": []}}, (422, "missing_file", "instances has no images")),
        ({"body": {"instances": TEXT}}, (422, "missing_file", "instances has no images")),
        ({"body": {"instances": [TEXT] * (MAX_PICTURES + 1)}}, (422, "too_many_files", "65 images; expected at most")),
        ({"body": {"inputs": TEXT}}, (422, "malformed_request", "a list with one input")),
        ({"body": {"inputs": []}}, (422, "malformed_request", "a list with one input")),
        ({"body": v2_of(datatype="FP32")}, (422, "malformed_request", "datatype is FP32; expected BYTES")),
        ({"body": v2_of(shape=[2])}, (422, "malformed_request", "shape is [2]; expected [1], as its data")),
        ({"body": {**v2_of(), "id": 7}}, (422, "malformed_request", "the id is not a string")),
        ({"body": {**v2_of(), "outputs": [{"name": "loss"}]}}, (422, "malformed_request", "names: activation")),
        ({"body": {**v2_of(), "outputs": 5}}, (422, "malformed_request", "names: activation")),
    ],
)
def test_a_wrong_request_says_what_was_expected(parts: dict[str, Any], expected: tuple[int, str, str]) -> None:
    error = read_request(parts).error
    assert error is not None
    assert (error.status, error.code) == expected[:2]
    assert expected[2] in error.message


def test_a_text_file_is_left_to_the_decoder() -> None:
    request = read_request({"data": "Notes of Monday"})
    assert (request.pictures, request.error) == ((b"Notes of Monday",), None)


def test_a_wrong_version_2_request_is_still_one() -> None:
    assert read_request({"body": v2_of(datatype="FP32")}).protocol == "kserve_v2"


names = st.sampled_from(["instances", "inputs", "outputs", "datatype", "data", "shape", "id", "name", "b64"])
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(TEXT) | st.just("BYTES")
json_values = st.recursive(values, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20)
parts = st.dictionaries(st.sampled_from(["data", "body", "file", "other"]), st.binary() | json_values)


# That a busy machine makes examples slowly says nothing of the handler.
@pytest.mark.proof
@settings(max_examples=times(100, 10_000), suppress_health_check=[HealthCheck.too_slow])
@given(parts)
def test_no_request_can_fail_its_batch(given_parts: dict[str, Any]) -> None:
    request = read_request(given_parts)
    assert (request.error is None) == bool(request.pictures)
