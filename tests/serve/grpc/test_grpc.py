"""The Open Inference Protocol V2 over gRPC, as Triton's own client speaks it and as others might."""

import json
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from numpy.typing import NDArray
from tritonclient.grpc.service_pb2 import ModelInferRequest, ServerLiveRequest
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from contract import Manifest
from contract.graph import OUTPUT_NAMES, Outputs
from serve.grpc.calls import address_of
from tests.commands import RunningServer, run_module
from tests.serve.versions import add_version

Status = grpc.StatusCode
SERVICE = "/inference.GRPCInferenceService/"
# One picture after another, and the queue may be long: time enough to look at a call while it is under way.
SLOW = ("--runners", "1", "--threads", "1", "--max-batch", "1", "--max-files", "1500", "--timeout-ms", "100000")


@pytest.fixture(scope="module")
def grpc_server(bundle: Path) -> Iterator[RunningServer]:
    running = RunningServer(bundle, "--grpc-port", "0", "--max-body-mb", "1", "--drain-ms", "0", "--access-log")
    yield running
    assert running.stop() == (0, "")


@pytest.fixture
def client(grpc_server: RunningServer) -> Iterator[Any]:
    with triton.InferenceServerClient(grpc_server.grpc_address) as asking:
        yield asking


@pytest.fixture
def stub(grpc_server: RunningServer) -> Iterator[Any]:
    with grpc.insecure_channel(grpc_server.grpc_address) as channel:
        yield GRPCInferenceServiceStub(channel)


def as_tensor(pixels: NDArray[np.uint8], module: Any = triton) -> Any:
    given = module.InferInput("image", list(pixels.shape), "UINT8")
    given.set_data_from_numpy(pixels)
    return given


def as_bytes(files: list[bytes]) -> Any:
    given = triton.InferInput("image", [len(files)], "BYTES")
    given.set_data_from_numpy(np.array(files, object))
    return given


def refusal(ask: Callable[[], object]) -> tuple[Any, str]:
    """The status and the message of a call that is refused."""
    with pytest.raises((triton.InferenceServerException, grpc.RpcError)) as caught:
        ask()
    error = caught.value
    if isinstance(error, grpc.RpcError):
        return error.code(), error.details()
    return Status[error.status().removeprefix("StatusCode.")], error.message()


def counted(running: RunningServer, name: str, **labels: str) -> float:
    """A counter of `/metrics`."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    begin, lines = f"resnet_service_{name}{{", httpx.get(f"{running.url}/metrics").text.splitlines()
    found = [line for line in lines if line.startswith(begin) and all(text in line for text in wanted)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


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


def request_for(**changes: Any) -> Any:
    given = {"name": "image", "datatype": "BYTES", "shape": [1], "contents": {"bytes_contents": [b"AAAA"]}, **changes}
    return ModelInferRequest(model_name="tiny", inputs=[given])


def with_raw(*raw: bytes, contents: dict[str, Any] | None = None, **changes: Any) -> Any:
    request = request_for(contents=contents, **changes)
    request.raw_input_contents.extend(raw)
    return request


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
        for method in (b"/grpc.health.v1.Health/Check", b"/inference.GRPCInferenceService/\xff", b"/\xff"):
            assert refusal(partial(channel.unary_unary(method), b""))[0] == Status.UNIMPLEMENTED
    assert client.is_server_live()


def test_every_answer_says_where_its_time_went(stub: Any, files: list[bytes]) -> None:
    request = request_for(contents={"bytes_contents": files[:1]})
    _, call = stub.ModelInfer.with_call(request)
    assert "inference;dur=" in dict(call.trailing_metadata())["server-timing"]


def test_grpc_is_loaded_only_where_it_is_wanted_and_torch_never(
    server: RunningServer, grpc_server: RunningServer
) -> None:
    plain, both = (Path(f"/proc/{running.process.pid}/maps").read_text() for running in (server, grpc_server))
    assert "cygrpc" not in plain
    assert "cygrpc" in both
    assert "torch" not in both


def test_a_port_in_use_is_one_line_and_exit_3(bundle: Path, grpc_server: RunningServer) -> None:
    address = grpc_server.grpc_address
    options = ("--bundle", str(bundle), "--port", "0", "--grpc-port", address.split(":")[1])
    result = run_module("serve", *options)
    assert (result.returncode, result.stderr) == (
        3, f"error: can't listen on {address}: Address already in use; choose another --grpc-port or HOST\n"
    )  # fmt: skip


def test_one_port_for_both_is_a_usage_error(bundle: Path) -> None:
    result = run_module("serve", "--bundle", str(bundle), "--port", "5000", "--grpc-port", "5000")
    assert (result.returncode, result.stderr) == (2, "error: grpc_port is 5000, the same as port; expected another\n")


def test_with_an_api_key_only_the_health_is_open(bundle: Path, tmp_path: Path, files: list[bytes]) -> None:
    key = "a key of some length"
    (tmp_path / "key.txt").write_text(key)
    running = RunningServer(bundle, "--grpc-port", "0", "--api-key-file", str(tmp_path / "key.txt"), "--drain-ms", "0")
    with triton.InferenceServerClient(running.grpc_address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        for headers in ({}, {"authorization": "Bearer another"}, {"x-api-key": key[:-1]}):
            asked = partial(client.infer, "tiny", [as_bytes(files)], headers=headers)
            assert refusal(asked)[0] == Status.UNAUTHENTICATED
            assert refusal(partial(client.get_server_metadata, headers=headers))[0] == Status.UNAUTHENTICATED
        for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
            assert client.infer("tiny", [as_bytes(files)], headers=headers).as_numpy("logits").shape == (3, 3)
    assert running.stop() == (0, "")


def test_tls_with_a_certificate(bundle: Path, tmp_path: Path, files: list[bytes]) -> None:
    path, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "1", "-out", str(path), "-keyout", str(key)]
    subprocess.run(["openssl", "req", "-x509", *made, *names], check=True, capture_output=True)
    tls = ("--tls-certificate", str(path), "--tls-key", str(key))
    running = RunningServer(bundle, "--grpc-port", "0", *tls, "--drain-ms", "0")
    with triton.InferenceServerClient(running.grpc_address, ssl=True, root_certificates=str(path)) as client:
        assert client.infer("tiny", [as_bytes(files)]).as_numpy("logits").shape == (3, 3)
    with triton.InferenceServerClient(running.grpc_address) as plain:  # what is no TLS is not worth a line on stderr
        assert refusal(plain.is_server_live)[0] == Status.UNAVAILABLE
    host, port = running.grpc_address.split(":")
    with socket.create_connection((host, int(port))) as stranger, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(stranger, server_hostname=host)
    assert running.stop() == (0, "")


def test_who_has_the_admin_token_loads_and_unloads(bundle: Path, tmp_path: Path) -> None:
    token = "a token of some length"
    (tmp_path / "token.txt").write_text(token)
    models = tmp_path / "models"
    add_version(bundle, models, "leaf", "one")
    options = ("--grpc-port", "0", "--admin-token-file", str(tmp_path / "token.txt"), "--drain-ms", "0")
    running = RunningServer(models, *options, option="--models")
    headers = {"authorization": f"Bearer {token}"}
    with triton.InferenceServerClient(running.grpc_address) as client:

        def index() -> dict[str, str]:
            entries = client.get_model_repository_index(headers=headers).models
            return {f"{entry.name} {entry.version}": entry.state for entry in entries}

        assert refusal(client.get_model_repository_index)[0] == Status.UNAUTHENTICATED
        assert refusal(lambda: client.load_model("leaf"))[0] == Status.UNAUTHENTICATED
        assert "model_repository" in client.get_server_metadata().extensions
        add_version(bundle, models, "weld", "two")
        assert index() == {"leaf one": "READY", "weld two": "UNAVAILABLE"}
        client.load_model("weld", headers=headers)
        assert index() == {"leaf one": "READY", "weld two": "READY"}
        assert client.is_model_ready("weld", "two")
        client.unload_model("leaf", headers=headers)
        assert index() == {"leaf one": "UNAVAILABLE", "weld two": "READY"}
        unknown = refusal(lambda: client.load_model("other", headers=headers))
        assert unknown == (
            Status.NOT_FOUND,
            "the models folder has no model with this name; POST /v2/repository/index lists the models",
        )
        status, message = refusal(lambda: client.load_model("leaf", headers=headers, config="{}"))
        assert (status, message.split(":")[0]) == (Status.INVALID_ARGUMENT, "config")
    assert running.stop() == (0, "")


def test_a_session_that_crashes_tells_its_log_and_not_the_client(bundle: Path, files: list[bytes]) -> None:
    running = RunningServer(bundle, module="tests.serve.breaking_server")
    with triton.InferenceServerClient(running.grpc_address) as client:
        status, message = refusal(lambda: client.infer("tiny", [as_bytes(files)]))
    assert (status, message) == (Status.INTERNAL, "the server failed on this call; the server's log has the reason")
    _, errors = running.process.communicate(timeout=30)
    assert "RuntimeError: CUDA failure 700" in errors


@pytest.fixture
def slow_server(bundle: Path) -> Iterator[RunningServer]:
    """A server on which the call `long_call` makes takes a while; the test ends it."""
    running = RunningServer(bundle, *SLOW, "--grpc-port", "0", "--max-wait-ms", "1", "--drain-ms", "0")
    yield running
    running.process.kill()
    running.process.communicate()


def long_call(running: RunningServer, channel: Any, pixels: NDArray[np.uint8]) -> Any:
    """A call that is under way: 1500 pictures, one by one."""
    many = np.repeat(pixels, 500, axis=0)[:1500]
    call = GRPCInferenceServiceStub(channel).ModelInfer.future(
        with_raw(many.tobytes(), datatype="UINT8", shape=list(many.shape))
    )
    while not counted(running, "waiting_images", model="tiny"):
        assert not call.done()
    return call


def test_a_cancelled_call_is_not_computed(slow_server: RunningServer, pixels: NDArray[np.uint8]) -> None:
    with grpc.insecure_channel(slow_server.grpc_address) as channel:
        long_call(slow_server, channel, pixels).cancel()
        while counted(slow_server, "waiting_images", model="tiny"):
            pass
        while not counted(slow_server, "requests_total", route=f"{SERVICE}ModelInfer", status="CANCELLED"):
            pass
        with triton.InferenceServerClient(slow_server.grpc_address) as client:
            (entry,) = client.get_inference_statistics("tiny").model_stats
    assert entry.inference_count < 1500
    assert entry.inference_stats.fail.count == 1
    assert counted(slow_server, "errors_total", model="tiny", code="client_closed_request") == 1
    assert slow_server.stop() == (0, "")


def test_when_the_wait_would_be_too_long_the_answer_says_when_to_come_again(
    slow_server: RunningServer, pixels: NDArray[np.uint8]
) -> None:
    with grpc.insecure_channel(slow_server.grpc_address) as channel:
        call = long_call(slow_server, channel, pixels)
        with pytest.raises(grpc.RpcError) as caught:
            GRPCInferenceServiceStub(channel).ModelInfer(request_for())
        call.cancel()
    assert caught.value.code() == Status.RESOURCE_EXHAUSTED
    assert int(dict(caught.value.trailing_metadata())["retry-after"]) >= 1


@pytest.mark.slow
def test_on_sigterm_a_call_under_way_is_answered(slow_server: RunningServer, pixels: NDArray[np.uint8]) -> None:
    with grpc.insecure_channel(slow_server.grpc_address) as channel:
        call = long_call(slow_server, channel, pixels)
        assert slow_server.stop() == (0, "")
        assert call.result().outputs[0].shape == [1500, 3]


def test_on_sigterm_readiness_goes_first(bundle: Path, files: list[bytes]) -> None:
    running = RunningServer(bundle, "--grpc-port", "0", "--drain-ms", "60000")
    with triton.InferenceServerClient(running.grpc_address) as client:
        running.process.send_signal(signal.SIGTERM)
        while client.is_server_ready():
            pass
        assert not client.is_model_ready("tiny")
        assert client.is_server_live()
        assert client.infer("tiny", [as_bytes(files)]).as_numpy("logits").shape == (3, 3)
        assert running.stop() == (0, "")  # a second signal ends the draining


def test_a_call_whose_message_never_comes_does_not_hold_up_the_end(bundle: Path) -> None:
    running = RunningServer(bundle, "--grpc-port", "0", "--drain-ms", "0")
    leaving = threading.Event()

    def nothing() -> Iterator[bytes]:
        leaving.wait()
        yield from ()

    with grpc.insecure_channel(running.grpc_address) as channel:
        call = channel.stream_unary(f"{SERVICE}ModelInfer").future(nothing())
        assert GRPCInferenceServiceStub(channel).ServerLive(ServerLiveRequest()).live
        assert running.stop() == (0, "")
        assert refusal(call.result) == (
            Status.DEADLINE_EXCEEDED,
            "the message did not arrive within the time limit; send it again",
        )
        leaving.set()
