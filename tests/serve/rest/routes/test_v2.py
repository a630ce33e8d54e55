"""The Open Inference Protocol V2 as Triton's own client speaks it, and as it is written."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray

from contract import Manifest
from contract.graph import OUTPUT_NAMES, Outputs
from serve.dataplane import LARGE_JSON
from serve.v2.codec import PIECE, _numbers
from tests.commands import RunningServer

INFER = "/v2/models/tiny/infer"


@pytest.fixture
def triton_client(server: RunningServer) -> Iterator[Any]:
    client = triton.InferenceServerClient(server.url.removeprefix("http://"))
    yield client
    client.close()


def as_tensor(pixels: NDArray[np.uint8], binary: bool = True) -> Any:
    given = triton.InferInput("image", list(pixels.shape), "UINT8")
    given.set_data_from_numpy(pixels, binary_data=binary)
    return given


def as_bytes(files: list[bytes]) -> Any:
    given = triton.InferInput("image", [len(files)], "BYTES")
    given.set_data_from_numpy(np.array(files, object), binary_data=True)
    return given


@pytest.mark.parametrize("binary", [True, False])
def test_tritons_client_sends_pixels(
    triton_client: Any, pixels: NDArray[np.uint8], expected: Outputs, binary: bool
) -> None:
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in OUTPUT_NAMES]
    answer = triton_client.infer("tiny", [as_tensor(pixels, binary)], outputs=wanted, request_id="seven")
    assert answer.get_response()["id"] == "seven"
    for name in OUTPUT_NAMES:
        np.testing.assert_allclose(answer.as_numpy(name), getattr(expected, name), rtol=1e-4, atol=1e-5)


def test_tritons_client_sends_picture_files(
    triton_client: Any, files: list[bytes], expected: Outputs, manifest: Manifest
) -> None:
    answer = triton_client.infer("tiny", [as_bytes(files)], model_version=manifest.version, timeout=5_000_000)
    np.testing.assert_allclose(answer.as_numpy("logits"), expected.logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("binary", [True, False])
def test_tritons_client_gets_classes(triton_client: Any, files: list[bytes], expected: Outputs, binary: bool) -> None:
    wanted = triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=2)
    rows = triton_client.infer("tiny", [as_bytes(files)], outputs=[wanted]).as_numpy("probabilities")
    assert rows.shape == (3, 2)
    texts = [[text.decode() if isinstance(text, bytes) else text for text in row] for row in rows]
    best = [row[0].split(":") for row in texts]
    assert [(index, label) for _, index, label in best] == [("2", "red"), ("0", "blue"), ("1", "grün")]
    assert [float(score) for score, _, _ in best] == pytest.approx(expected.probabilities.max(axis=1), abs=1e-4)


def test_tritons_client_asks_about_the_server_and_the_model(triton_client: Any, manifest: Manifest) -> None:
    assert triton_client.is_server_live()
    assert triton_client.is_server_ready()
    assert triton_client.is_model_ready("tiny")
    assert triton_client.is_model_ready("tiny", manifest.version)
    assert "binary_tensor_data" in triton_client.get_server_metadata()["extensions"]
    described = triton_client.get_model_metadata("tiny")
    assert described["versions"] == [manifest.version]
    assert described["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 32, 32, 3]}]
    assert [entry["name"] for entry in described["outputs"]] == list(OUTPUT_NAMES)
    configured = triton_client.get_model_config("tiny")
    assert configured["max_batch_size"] == manifest.max_batch
    assert configured["input"] == [{"name": "image", "data_type": "TYPE_UINT8", "dims": [32, 32, 3]}]


def test_statistics_count_requests_pictures_and_batches(triton_client: Any, files: list[bytes]) -> None:
    def counts() -> tuple[int, int, int]:
        (entry,) = triton_client.get_inference_statistics("tiny")["model_stats"]
        batches = sum(batch["compute_infer"]["count"] for batch in entry["batch_stats"])
        assert batches == entry["execution_count"]
        return entry["inference_stats"]["success"]["count"], entry["inference_count"], entry["execution_count"]

    before = counts()
    triton_client.infer("tiny", [as_bytes(files)])
    after = counts()
    assert (after[0] - before[0], after[1] - before[1]) == (1, 3)
    assert 1 <= after[2] - before[2] <= 3


def test_an_unknown_model_is_tritons_error(triton_client: Any, pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(triton.InferenceServerException, match="no such model or version"):
        triton_client.infer("other", [as_tensor(pixels)])
    assert not triton_client.is_model_ready("tiny", "9")


def test_a_raw_request_is_nothing_but_the_tensor(
    client: httpx.Client, pixels: NDArray[np.uint8], expected: Outputs
) -> None:
    headers = {"Inference-Header-Content-Length": "0"}
    answer = client.post(INFER, content=pixels.tobytes(), headers=headers)
    length = int(answer.headers["Inference-Header-Content-Length"])
    described = json.loads(answer.content[:length])["outputs"][0]
    assert (described["name"], described["shape"]) == ("logits", [3, 3])
    size = described["parameters"]["binary_data_size"]
    logits = np.frombuffer(answer.content[length : length + size], "<f4").reshape(3, 3)
    np.testing.assert_allclose(logits, expected.logits, rtol=1e-4, atol=1e-5)


def test_a_request_in_json_takes_nested_rows_and_gives_flat_ones(
    client: httpx.Client, pixels: NDArray[np.uint8], expected: Outputs
) -> None:
    given = {"name": "image", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": pixels[:1].tolist()}
    answer = client.post(INFER, json={"id": "a", "inputs": [given], "outputs": [{"name": "logits"}]}).json()
    assert set(answer) == {"model_name", "model_version", "id", "outputs"}
    (logits,) = answer["outputs"]
    assert (logits["datatype"], logits["shape"]) == ("FP32", [1, 3])
    assert logits["data"] == pytest.approx(expected.logits[0].tolist(), rel=1e-4, abs=1e-5)


def test_megabytes_of_json_say_the_same_as_the_tensor(client: httpx.Client, pixels: NDArray[np.uint8]) -> None:
    many = np.concatenate([pixels] * 20)
    given = {"name": "image", "datatype": "UINT8", "shape": list(many.shape), "data": many.tolist()}
    wide = json.dumps({"inputs": [given]}, indent=2).encode()
    assert len(wide) > LARGE_JSON
    answer = client.post(INFER, content=wide).json()
    binary = client.post(INFER, content=many.tobytes(), headers={"Inference-Header-Content-Length": "0"})
    length = int(binary.headers["Inference-Header-Content-Length"])
    described, values, place = json.loads(binary.content[:length])["outputs"], binary.content[length:], 0
    assert len(answer["outputs"]) == len(described)
    for output, other in zip(answer["outputs"], described, strict=True):
        size = other["parameters"]["binary_data_size"]
        assert output["data"] == np.frombuffer(values[place : place + size], "<f4").tolist()
        place += size


def test_numbers_beyond_what_the_shape_needs_are_413(client: httpx.Client) -> None:
    given = {"name": "image", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": [0] * 300_000}
    refused = client.post(INFER, json={"inputs": [given]})
    assert refused.status_code == 413
    assert "far more than the shape [1, 32, 32, 3] needs" in error_of(refused)
    assert "binary tensor data extension" in error_of(refused)


def test_millions_of_numbers_are_written_as_python_would_write_them() -> None:
    values = np.random.default_rng(0).normal(size=(3, PIECE)).astype(np.float32)
    assert json.loads(_numbers(values.ravel())) == values.ravel().tolist()
    assert _numbers(values[0, :2]) == json.dumps(values[0, :2].tolist()).encode()


def tensor(**changes: Any) -> dict[str, Any]:
    given = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["AAAA"], **changes}
    return {"inputs": [{key: value for key, value in given.items() if value is not None}]}


BAD: dict[str, Any] = {
    "no object": [],
    "no inputs": {},
    "two inputs": {"inputs": tensor()["inputs"] * 2},
    "another input": tensor(name="pixels"),
    "another type": tensor(datatype="FP32", shape=[1, 32, 32, 3]),
    "another shape": tensor(datatype="UINT8", shape=[1, 3, 32, 32]),
    "no batch": tensor(datatype="UINT8", shape=[32, 32, 3]),
    "nothing": tensor(shape=[0], data=[]),
    "negative": tensor(shape=[-1]),
    "huge": tensor(datatype="UINT8", shape=[10**30, 32, 32, 3]),
    "too many": tensor(shape=[65], data=["AAAA"] * 65),
    "a number for a shape": tensor(shape=["1"]),
    "fewer elements": tensor(shape=[2]),
    "no base64": tensor(data=["!"]),
    "numbers for files": tensor(data=[1]),
    "no data": tensor(data=None),
    "values beyond a byte": tensor(datatype="UINT8", shape=[1, 32, 32, 3], data=[256] * 3072),
    "fractions": tensor(datatype="UINT8", shape=[1, 32, 32, 3], data=[0.5] * 3072),
    "texts": tensor(datatype="UINT8", shape=[1, 32, 32, 3], data=["1"] * 3072),
    "ragged": tensor(datatype="UINT8", shape=[1, 32, 32, 3], data=[[1], [1, 2]]),
    "an unknown output": {**tensor(), "outputs": [{"name": "other"}]},
    "an output twice": {**tensor(), "outputs": [{"name": "logits"}] * 2},
    "no picture": tensor(),
    "a timeout of nothing": {**tensor(), "parameters": {"timeout": 0}},
    "a timeout in words": {**tensor(), "parameters": {"timeout": "soon"}},
    "lying size": tensor(data=None, parameters={"binary_data_size": 7}),
}


def error_of(answer: httpx.Response) -> str:
    assert set(answer.json()) == {"error"}
    message = answer.json()["error"]
    assert isinstance(message, str)
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_does_not_keep_to_the_protocol_is_400_or_415(client: httpx.Client, name: str) -> None:
    answer = client.post(INFER, json=BAD[name])
    assert answer.status_code == (415 if name == "no picture" else 400)
    assert error_of(answer)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[" * 100_000, b'{"inputs": NaN}', b'{"a":' * 100_000, b"\xff\xfe", b'{"inputs": 1e999}'],
    ids=["empty", "open", "deep list", "nan", "deep object", "no utf-8", "infinite"],
)
def test_what_is_no_json_is_400(client: httpx.Client, text: bytes) -> None:
    answer = client.post(INFER, content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert error_of(answer)


@pytest.mark.parametrize("length", ["-1", "x", "3", "99999999999999999999", "1.0", ""])
def test_a_lying_header_length_is_400(client: httpx.Client, length: str) -> None:
    answer = client.post(INFER, content=b"{}", headers={"Inference-Header-Content-Length": length})
    assert answer.status_code == 400
    assert error_of(answer)


@pytest.mark.parametrize("binary", [b"\xff\xff\xff\xffx", b"\x01", b"\x02\x00\x00\x00x"])
def test_elements_that_lie_about_their_length_are_400(client: httpx.Client, binary: bytes) -> None:
    text = json.dumps(tensor(data=None)).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    answer = client.post(INFER, content=text + binary, headers=headers)
    assert answer.status_code == 400
    assert "element" in error_of(answer)


def test_a_bad_picture_among_good_ones_is_named(client: httpx.Client, files: list[bytes]) -> None:
    blob = b"".join(len(data).to_bytes(4, "little") + data for data in (files[0], b"GIF89a", files[1]))
    text = json.dumps(tensor(data=None, shape=[3])).encode()
    answer = client.post(INFER, content=text + blob, headers={"Inference-Header-Content-Length": str(len(text))})
    assert answer.status_code == 415
    assert error_of(answer).startswith("image 2 of 3: ")
