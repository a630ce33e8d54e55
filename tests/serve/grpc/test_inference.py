"""The Open Inference Protocol V2 over gRPC, as Triton's own client speaks it and as others might."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from numpy.typing import NDArray
from tritonclient.grpc.service_pb2 import ModelInferRequest

from contract import Manifest
from contract.graph import OUTPUT_NAMES, Outputs
from serve.grpc.calls import address_of
from tests.commands import RunningServer
from tests.serve.grpc.asking import SERVICE, Status, as_bytes, as_tensor, counted, refusal, request_for, with_raw


def test_tritons_client_sends_pixels(client: Any, pixels: NDArray[np.uint8], expected: Outputs) -> None:
    answer = client.infer("tiny", [as_tensor(pixels)], request_id="seven")
    assert answer.get_response().id == "seven"
    for name in OUTPUT_NAMES:
        np.testing.assert_allclose(answer.as_numpy(name), getattr(expected, name), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_tritons_client_sends_picture_files(
    client: Any, files: list[bytes], expected: Outputs, manifest: Manifest, compression: str | None
) -> None:
    wanted = [triton.InferRequestedOutput("logits")]
    ask = partial(client.infer, "tiny", [as_bytes(files)], outputs=wanted, compression_algorithm=compression)
    answer = ask(model_version=manifest.version, timeout=5_000_000)
    assert [output.name for output in answer.get_response().outputs] == ["logits"]
    np.testing.assert_allclose(answer.as_numpy("logits"), expected.logits, rtol=1e-4, atol=1e-5)


def test_tritons_client_gets_classes(client: Any, files: list[bytes]) -> None:
    wanted = triton.InferRequestedOutput("probabilities", class_count=2)
    rows = client.infer("tiny", [as_bytes(files)], outputs=[wanted]).as_numpy("probabilities")
    assert rows.shape == (3, 2)
    assert [row[0].decode().split(":", 1)[1] for row in rows] == ["2:red", "0:blue", "1:grün"]


def test_the_answer_is_that_of_rest(grpc_server: RunningServer, client: Any, pixels: NDArray[np.uint8]) -> None:
    with triton_http.InferenceServerClient(grpc_server.url.removeprefix("http://")) as rest:
        said = rest.infer("tiny", [as_tensor(pixels[:1], triton_http)])
    answer = client.infer("tiny", [as_tensor(pixels[:1])])
    for name in OUTPUT_NAMES:
        np.testing.assert_array_equal(answer.as_numpy(name), said.as_numpy(name))


@pytest.mark.parametrize(("peer", "address"), [("ipv4:127.0.0.1:50000", "127.0.0.1"), ("ipv6:%5B::1%5D:50000", "::1")])
def test_a_caller_has_an_address(peer: str, address: str) -> None:
    assert address_of(peer) == address


def test_a_call_keeps_its_id_and_is_a_line_of_the_access_log(
    grpc_server: RunningServer, stub: Any, files: list[bytes]
) -> None:
    request = request_for(contents={"bytes_contents": files[:1]}, shape=[1], datatype="BYTES")
    _, call = stub.ModelInfer.with_call(request, metadata=(("x-request-id", "leaf-2"),))
    assert dict(call.trailing_metadata())["x-request-id"] == "leaf-2"
    assert grpc_server.process.stdout is not None
    lines = (json.loads(line) for line in grpc_server.process.stdout)
    line = next(line for line in lines if line["request_id"] == "leaf-2")
    named = (line["method"], line["route"], line["status"], line["client"])
    assert named == ("gRPC", f"{SERVICE}ModelInfer", "OK", "127.0.0.1")
    assert line["model"] == "tiny"
    assert {"decode_ms", "queue_ms", "inference_ms", "total_ms"} <= set(line)


def test_typed_contents_are_taken_too(
    stub: Any, files: list[bytes], pixels: NDArray[np.uint8], expected: Outputs
) -> None:
    for contents, shape, datatype in (
        ({"bytes_contents": files}, [3], "BYTES"),
        ({"uint_contents": pixels.ravel().tolist()}, [3, 32, 32, 3], "UINT8"),
    ):
        answer = stub.ModelInfer(request_for(contents=contents, shape=shape, datatype=datatype))
        logits = np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(3, 3)
        np.testing.assert_allclose(logits, expected.logits, rtol=1e-4, atol=1e-5)


def test_tritons_client_asks_about_the_server_and_the_model(client: Any, manifest: Manifest) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny")
    assert client.is_model_ready("tiny", manifest.version)
    assert not client.is_model_ready("other")
    assert "binary_tensor_data" in client.get_server_metadata().extensions
    described = client.get_model_metadata("tiny")
    assert (described.versions, described.platform) == ([manifest.version], "onnx_onnxv1")
    assert [(entry.name, entry.shape) for entry in described.inputs] == [("image", [-1, 32, 32, 3])]
    assert [entry.name for entry in described.outputs] == list(OUTPUT_NAMES)
    configured = client.get_model_config("tiny").config
    assert configured.max_batch_size == manifest.max_batch
    assert [entry.dims for entry in configured.input] == [[32, 32, 3]]


def test_statistics_count_requests_and_pictures(client: Any, files: list[bytes]) -> None:
    def counts() -> tuple[int, int]:
        (entry,) = client.get_inference_statistics("tiny").model_stats
        assert client.get_inference_statistics().model_stats == [entry]
        return entry.inference_stats.success.count, entry.inference_count

    before = counts()
    client.infer("tiny", [as_bytes(files)])
    assert counts() == (before[0] + 1, before[1] + 3)


def test_an_unknown_model_is_not_found(client: Any, pixels: NDArray[np.uint8]) -> None:
    for ask in (
        partial(client.infer, "other", [as_tensor(pixels)]),
        partial(client.infer, "tiny", [as_tensor(pixels)], model_version="9"),
        partial(client.get_model_metadata, "other"),
        partial(client.get_model_config, "tiny", "9"),
        partial(client.get_inference_statistics, "other"),
    ):
        assert refusal(ask) == (Status.NOT_FOUND, "no such model or version is being served; GET /models lists them")


def with_outputs(*names: str, **parameters: int) -> Any:
    request = request_for()
    for name in names:
        output = request.outputs.add(name=name)
        for key, value in parameters.items():
            output.parameters[key].int64_param = value
    return request


def with_timeout(**choice: Any) -> Any:
    request = request_for()
    request.parameters["timeout"].MergeFrom(triton.service_pb2.InferParameter(**choice))
    return request


UINT8: dict[str, Any] = {"datatype": "UINT8", "shape": [1, 32, 32, 3]}
BAD: dict[str, Any] = {
    "no inputs": ModelInferRequest(model_name="tiny"),
    "two inputs": ModelInferRequest(model_name="tiny", inputs=[{"name": "image"}, {"name": "image"}]),
    "another input": request_for(name="pixels"),
    "another type": request_for(datatype="FP32", shape=[1, 32, 32, 3]),
    "another shape": request_for(datatype="UINT8", shape=[1, 3, 32, 32]),
    "nothing": request_for(shape=[0], contents={}),
    "negative": request_for(shape=[-1]),
    "huge": request_for(datatype="UINT8", shape=[2**62, 32, 32, 3]),
    "too many": request_for(shape=[65], contents={"bytes_contents": [b"AAAA"] * 65}),
    "fewer elements": request_for(shape=[2]),
    "no data": request_for(contents=None),
    "data of another type": request_for(**UINT8, contents={"bytes_contents": [b"\0" * 3072]}),
    "values beyond a byte": request_for(**UINT8, contents={"uint_contents": [256] * 3072}),
    "too few pixels": with_raw(b"\0" * 3071, **UINT8),
    "elements that lie": with_raw(b"\xff\xff\xff\xffx"),
    "raw and typed": with_raw(b"\0" * 3072, **UINT8, contents={"uint_contents": [0] * 3072}),
    "raw twice": with_raw(b"", b""),
    "an unknown output": with_outputs("other"),
    "an output twice": with_outputs("logits", "logits"),
    "no picture": request_for(),
    "a timeout of nothing": with_timeout(int64_param=0),
    "a timeout in words": with_timeout(string_param="soon"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_does_not_keep_to_the_protocol_is_an_invalid_argument(stub: Any, name: str) -> None:
    status, message = refusal(lambda: stub.ModelInfer(BAD[name]))
    assert status == Status.INVALID_ARGUMENT
    assert message
    assert "Error" not in message


@pytest.mark.parametrize("parameters", [{"classification": 0}, {"classification": -1}])
def test_a_senseless_classification_is_an_invalid_argument(
    stub: Any, files: list[bytes], parameters: dict[str, int]
) -> None:
    request = with_outputs("probabilities", **parameters)
    request.inputs[0].contents.bytes_contents[:] = files[:1]
    assert refusal(lambda: stub.ModelInfer(request))[0] == Status.INVALID_ARGUMENT


def test_a_bad_picture_among_good_ones_is_named_and_counted(
    grpc_server: RunningServer, client: Any, files: list[bytes]
) -> None:
    def counts() -> tuple[float, float]:
        route = f"{SERVICE}ModelInfer"
        requests = counted(grpc_server, "requests_total", route=route, status="INVALID_ARGUMENT")
        return requests, counted(grpc_server, "errors_total", model="tiny", code="unsupported_type")

    before = counts()
    status, message = refusal(lambda: client.infer("tiny", [as_bytes([files[0], b"GIF89a", files[1]])]))
    assert status == Status.INVALID_ARGUMENT
    assert message.startswith("image 2 of 3: ")
    assert counts() == (before[0] + 1, before[1] + 1)


def test_what_is_no_message_is_an_invalid_argument(grpc_server: RunningServer) -> None:
    with grpc.insecure_channel(grpc_server.grpc_address) as channel:
        ask = channel.unary_unary(f"{SERVICE}ModelInfer")
        assert refusal(lambda: ask(b"\xff\xff")) == (
            Status.INVALID_ARGUMENT,
            "the message is malformed; expected a protobuf message of this method",
        )


def test_a_message_that_is_too_large_is_refused(client: Any) -> None:
    for compression in (None, "gzip"):
        large = partial(client.infer, "tiny", [as_bytes([bytes(1_000_000)])], compression_algorithm=compression)
        status, message = refusal(large)
        assert status == Status.RESOURCE_EXHAUSTED
        assert "larger than max" in message


@pytest.mark.parametrize("limit", [{"timeout": 1}, {"client_timeout": 0.0005}])
def test_what_can_not_be_answered_in_time_is_told_so(client: Any, files: list[bytes], limit: dict[str, Any]) -> None:
    assert refusal(lambda: client.infer("tiny", [as_bytes(files)], **limit))[0] == Status.DEADLINE_EXCEEDED


def test_what_is_not_offered_is_unimplemented(grpc_server: RunningServer, client: Any) -> None:
    for ask in (client.get_model_repository_index, client.get_system_shared_memory_status, client.get_log_settings):
        assert refusal(ask)[0] == Status.UNIMPLEMENTED
    # grpc would end its server for a name that is not UTF-8.
    with grpc.insecure_channel(grpc_server.grpc_address) as channel:
        for method in (
            b"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            b"/inference.GRPCInferenceService/\xff",
            b"/\xff",
        ):
            assert refusal(partial(channel.unary_unary(method), b""))[0] == Status.UNIMPLEMENTED
    assert client.is_server_live()


def test_every_answer_says_where_its_time_went(stub: Any, files: list[bytes]) -> None:
    request = request_for(contents={"bytes_contents": files[:1]})
    _, call = stub.ModelInfer.with_call(request)
    assert "inference;dur=" in dict(call.trailing_metadata())["server-timing"]


def test_a_session_that_crashes_tells_its_log_and_not_the_client(bundle: Path, files: list[bytes]) -> None:
    running = RunningServer(bundle, module="tests.serve.breaking_server")
    with triton.InferenceServerClient(running.grpc_address) as client:
        status, message = refusal(lambda: client.infer("tiny", [as_bytes(files)]))
    assert (status, message) == (Status.INTERNAL, "the server failed on this call; the server's log has the reason")
    _, errors = running.process.communicate(timeout=30)
    assert "RuntimeError: CUDA failure 700" in errors
