"""OpenTelemetry spans, as a collector gets them."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from contract import Manifest
from contract.graph import Outputs
from serve.health import Health
from serve.observability.timing import Stage, Timing
from serve.observability.tracing import start_tracing
from serve.scheduling.batcher import Answered
from tests.commands import RunningServer, run_module, run_python
from tests.serve.observability.collector import ENDPOINT, Collector, values
from tests.serve.stubborn import StubbornSession, stubborn_app

CALLER = "b7ad6b7169203331"
ID = "http.response.header.x-request-id"
CALL_ID = "rpc.response.metadata.x-request-id"


@pytest.fixture(scope="module")
def traced(bundle: Path, collector: Collector) -> Iterator[RunningServer]:
    """A server that sends its spans to `collector`."""
    running = RunningServer(bundle, "--drain-ms", "0", "--grpc-port", "0", env=collector.env)
    yield running
    assert running.stop() == (0, "")


def test_a_request_is_a_span_in_the_callers_trace_with_a_span_for_each_stage(
    traced: RunningServer, collector: Collector, red_jpeg: bytes
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-{CALLER}-01", "X-Request-Id": "stages"}
    httpx.post(f"{traced.url}/predict", content=red_jpeg, headers=headers)
    spans = collector.of("stages")
    assert set(spans) == {"request", "decode", "queue", "inference"}
    assert {span.trace_id.hex() for span in spans.values()} == {trace}
    request = spans["request"]
    assert (request.name, request.kind, request.parent_span_id.hex()) == (
        "POST /predict",
        Span.SPAN_KIND_SERVER,
        CALLER,
    )
    assert spans["decode"].kind == Span.SPAN_KIND_INTERNAL
    assert values(spans["inference"].attributes) == {"batch.size": 1}


@pytest.mark.parametrize("count", [1, 20])
def test_stages_follow_one_another_within_their_request(
    traced: RunningServer, collector: Collector, red_jpeg: bytes, count: int
) -> None:
    before, files = time.time_ns(), [("file", red_jpeg)] * count
    httpx.post(f"{traced.url}/predict", files=files, headers={"X-Request-Id": f"order-{count}"})
    spans = collector.of(f"order-{count}")
    moments = [spans["request"].start_time_unix_nano]
    for name in ("decode", "queue", "inference"):
        moments += [spans[name].start_time_unix_nano, spans[name].end_time_unix_nano]
    moments.append(spans["request"].end_time_unix_nano)
    assert moments == sorted(moments)
    assert before <= moments[0] < moments[-1] <= time.time_ns()


def test_a_span_says_what_was_asked_and_what_came_of_it_by_the_conventions(
    bundle: Path, traced: RunningServer, collector: Collector, red_jpeg: bytes
) -> None:
    httpx.post(f"{traced.url}/predict?secret=1", content=red_jpeg, headers={"X-Request-Id": "named"})
    assert values(collector.of("named")["request"].attributes) == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "model.name": "tiny",
        "model.version": Manifest.read(bundle).version,
        ID: ["named"],
    }
    assert collector.resource["service.name"] == "resnet-service"


def test_a_grpc_call_is_told_of_like_a_request(
    bundle: Path, traced: RunningServer, collector: Collector, pixels: NDArray[np.uint8]
) -> None:
    given = triton.InferInput("image", list(pixels.shape), "UINT8")
    given.set_data_from_numpy(pixels)
    trace = "1af7651916cd43dd8448eb211c80319d"
    headers = {"traceparent": f"00-{trace}-{CALLER}-01", "x-request-id": "call"}
    with triton.InferenceServerClient(traced.grpc_address) as client:
        client.infer("tiny", [given], headers=headers)
    spans = collector.of("call")
    assert {"queue", "inference"} < set(spans)
    assert {span.trace_id.hex() for span in spans.values()} == {trace}
    assert spans["request"].name == "inference.GRPCInferenceService/ModelInfer"
    assert values(spans["request"].attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": "inference.GRPCInferenceService/ModelInfer",
        "rpc.response.status_code": "OK",
        "model.name": "tiny",
        "model.version": Manifest.read(bundle).version,
        CALL_ID: ["call"],
    }


@pytest.mark.parametrize(("model", "failed"), [("tiny", True), ("other", False)])
def test_a_grpc_call_that_fails_is_an_error_where_the_server_is_at_fault(
    traced: RunningServer, collector: Collector, pixels: NDArray[np.uint8], model: str, failed: bool
) -> None:
    given = triton.InferInput("image", list(pixels.shape), "UINT8")
    given.set_data_from_numpy(pixels)
    client, headers = triton.InferenceServerClient(traced.grpc_address), {"x-request-id": f"failing-{model}"}
    with client, pytest.raises(triton.InferenceServerException):
        client.infer(model, [given], headers=headers, timeout=1)
    status = collector.of(f"failing-{model}")["request"].status.code
    assert (status == Status.STATUS_CODE_ERROR) is failed


def test_a_picture_that_can_not_be_read_is_no_error_of_the_server(traced: RunningServer, collector: Collector) -> None:
    httpx.post(f"{traced.url}/predict", content=b"no picture", headers={"X-Request-Id": "unreadable"})
    spans = collector.of("unreadable")
    assert set(spans) == {"request", "decode"}
    assert values(spans["request"].attributes)["http.response.status_code"] == 415
    assert spans["request"].status.code == Status.STATUS_CODE_UNSET


def test_a_request_that_fails_has_the_stages_that_it_was_in(bundle: Path, red_jpeg: bytes) -> None:
    """Its client leaves while its picture waits, after another that is being computed."""
    session = StubbornSession((bundle / "model.onnx").read_bytes())

    async def ways() -> list[list[str]]:
        app, dataplane = stubborn_app(bundle, session, Health())
        served, timings = dataplane.registry.find("tiny"), [Timing(), Timing()]
        async with app.router.lifespan_context(app):
            session.gate.clear()
            first, second = (served.run_files([red_jpeg], float("inf"), timing) for timing in timings)
            computed, runs = asyncio.create_task(first), session.runs
            while session.runs == runs:
                await asyncio.sleep(0)
            waits = asyncio.create_task(second)
            while served.batcher.waiting == 0:
                await asyncio.sleep(0)
            waits.cancel()
            await asyncio.wait([waits])
            session.gate.set()
            await computed
        return [[stage.name for stage in timing.way] for timing in timings]

    assert asyncio.run(ways()) == [["decode", "queue", "inference"], ["decode", "queue"]]


@pytest.mark.parametrize(("method", "name"), [("POST", "POST unmatched"), ("PROPFIND", "HTTP unmatched")])
def test_what_a_client_chose_freely_is_not_in_a_name(
    traced: RunningServer, collector: Collector, method: str, name: str
) -> None:
    httpx.request(method, f"{traced.url}/nowhere", headers={"X-Request-Id": f"lost-{method}"})
    request = collector.of(f"lost-{method}")["request"]
    known = values(request.attributes)
    assert (request.name, known["http.request.method"]) == (name, "POST" if method == "POST" else "_OTHER")
    assert known["http.response.status_code"] == 404
    assert "http.route" not in known


@pytest.mark.parametrize("given", ["nonsense", "00-" + "0" * 32 + f"-{CALLER}-01", "x" * 600])
def test_a_traceparent_that_is_none_begins_a_trace(traced: RunningServer, collector: Collector, given: str) -> None:
    headers = {"traceparent": given, "tracestate": "=;,", "X-Request-Id": f"new-{len(given)}"}
    answer = httpx.get(f"{traced.url}/ping", headers=headers)
    request = collector.of(f"new-{len(given)}")["request"]
    assert answer.status_code == 200
    assert (request.name, request.parent_span_id) == ("GET /ping", b"")


def test_a_caller_who_does_not_record_is_not_recorded(traced: RunningServer, collector: Collector) -> None:
    quiet = "1af7651916cd43dd8448eb211c80319c"
    httpx.get(f"{traced.url}/ping", headers={"traceparent": f"00-{quiet}-{CALLER}-00"})
    httpx.get(f"{traced.url}/ping", headers={"X-Request-Id": "after"})
    collector.of("after")
    assert quiet not in {span.trace_id.hex() for span in collector.spans}


def test_a_failure_of_the_server_is_an_error_and_is_sent_before_it_ends(
    bundle: Path, collector: Collector, red_jpeg: bytes
) -> None:
    env = {**collector.env, "OTEL_BSP_SCHEDULE_DELAY": "60000"}
    running = RunningServer(bundle, module="tests.serve.breaking_server", env=env)
    httpx.post(f"{running.url}/predict", content=red_jpeg, headers={"X-Request-Id": "broken"})
    running.process.communicate(timeout=30)
    request = collector.of("broken")["request"]
    assert request.status.code == Status.STATUS_CODE_ERROR
    assert values(request.attributes)["error.type"] == "500"


def test_a_service_is_named_by_the_variables(bundle: Path, red_jpeg: bytes) -> None:
    collector = Collector()
    env = {**collector.env, "OTEL_RESOURCE_ATTRIBUTES": "service.name=leaves,team=garden"}
    running = RunningServer(bundle, "--drain-ms", "0", env=env)
    httpx.get(f"{running.url}/ping", headers={"X-Request-Id": "leaves"})
    collector.of("leaves")
    assert (collector.resource["service.name"], collector.resource["team"]) == ("leaves", "garden")
    assert running.stop() == (0, "")
    collector.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and nobody else can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.slow
def test_without_a_collector_there_are_answers_one_warning_and_a_quick_end(
    bundle: Path, red_jpeg: bytes, closed_port: int
) -> None:
    env = {ENDPOINT: f"http://127.0.0.1:{closed_port}", "OTEL_BSP_SCHEDULE_DELAY": "1"}
    running = RunningServer(bundle, "--drain-ms", "0", env=env)
    with httpx.Client(base_url=running.url) as client:
        assert {client.post("/predict", content=red_jpeg).status_code for _ in range(20)} == {200}
    began = time.monotonic()
    code, errors = running.stop()
    assert time.monotonic() - began < 10  # the SDK alone would take 30
    assert code == 0
    assert errors.startswith("warning: tracing: ")
    assert len(errors.splitlines()) == 1


@pytest.mark.slow
def test_a_collector_that_never_answers_does_not_hold_up_the_end(bundle: Path, red_jpeg: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {ENDPOINT: f"http://127.0.0.1:{silent.getsockname()[1]}", "OTEL_BSP_SCHEDULE_DELAY": "1"}
        running = RunningServer(bundle, "--drain-ms", "0", env=env)
        assert httpx.post(f"{running.url}/predict", content=red_jpeg).status_code == 200
        began = time.monotonic()
        assert running.stop() == (0, "")
        assert time.monotonic() - began < 8  # it is given up after 10


def test_without_the_variables_nothing_of_the_sdk_is_loaded() -> None:
    code = (
        "import sys, serve.rest.app\nfrom serve.observability.tracing import start_tracing\n"
        "assert start_tracing() is None; print(*sys.modules)"
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    assert not re.search(r"opentelemetry\.(sdk|exporter)", result.stdout)


@pytest.mark.parametrize(
    "variables", [{}, {ENDPOINT: ""}, {"OTEL_SDK_DISABLED": "True"}, {"OTEL_TRACES_EXPORTER": "none"}]
)
def test_nothing_is_traced_that_was_not_asked_for(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    if variables and ENDPOINT not in variables:
        monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert start_tracing() is None


def test_variables_that_the_sdk_refuses_are_one_line_and_exit_3(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    result = run_module("serve", "--bundle", str(bundle), "--port", "0")
    assert result.returncode == 3
    assert result.stderr.startswith(
        "error: an environment variable of OpenTelemetry is not valid: max_queue_size must be"
    )
    assert len(result.stderr.splitlines()) == 1


def test_of_several_pictures_the_way_is_that_of_the_last() -> None:
    outputs, timing = Outputs(*[np.zeros((1, 1), np.float32)] * 3), Timing(way=[Stage("decode", 0.0, 2.0)])
    timing.note([Answered(outputs, 0.0, 6.0, 8), Answered(outputs, 4.0, 3.0, 2)])
    assert [(stage.name, stage.batch) for stage in timing.way] == [("decode", None), ("queue", None), ("inference", 2)]
    assert [stage.end - stage.start for stage in timing.way] == pytest.approx([2.0, 4.0, 3.0])
    assert (timing.queue_s, timing.inference_s, timing.batch) == (4.0, 6.0, 8)
