"""Twenty ways in which a request ends: metrics, V2 statistics, access log and spans tell the same of them."""

import json
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from tests.commands import RunningServer
from tests.serve.observability.collector import Collector, values

KEY = "an-api-key-of-some-length"
HEADERS = {"X-API-Key": KEY}
BOUNDARY = {**HEADERS, "Content-Type": "multipart/form-data; boundary=b"}
HEAD = f"POST /predict HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n".encode()
INFER = "/inference.GRPCInferenceService/ModelInfer"
End = tuple[str, str]
"""A request's status and the code of its error, or ""."""


@pytest.fixture(scope="module")
def running(bundle: Path, tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[RunningServer]:
    key = tmp_path_factory.mktemp("key") / "key.txt"
    key.write_text(KEY)
    options = ("--access-log", "--grpc-port", "0", "--drain-ms", "0", "--max-body-mb", "0.5")
    server = RunningServer(bundle, *options, "--api-key-file", str(key), env=collector.env)
    yield server
    assert server.stop() == (0, "")


def endings_over_http(client: httpx.Client, picture: bytes) -> Counter[End]:
    """Play them; each with what it must end with."""
    slow = {"X-Request-Timeout-Ms": "0"}
    plays: list[tuple[Callable[[], httpx.Response], End]] = [
        (lambda: client.post("/predict", content=picture), ("200", "")),
        (lambda: client.post("/annotate", content=picture), ("200", "")),
        (lambda: client.post("/predictions/tiny", content=picture), ("200", "")),
        (lambda: client.get("/ping"), ("200", "")),
        (lambda: client.get("/page/page.js"), ("200", "")),
        (lambda: client.get("/nowhere"), ("404", "not_found")),
        (lambda: client.get("/predict"), ("405", "method_not_allowed")),
        (lambda: client.post("/predict?model=other", content=picture), ("404", "model_not_found")),
        (lambda: client.post("/predict?top_k=0", content=picture), ("422", "invalid_parameter")),
        (lambda: client.post("/predict", content=picture, headers=slow), ("422", "invalid_parameter")),
        (lambda: client.post("/predict", content=b"no picture"), ("415", "unsupported_type")),
        (lambda: client.post("/predict", content=picture[: len(picture) // 2]), ("400", "unreadable_image")),
        (lambda: client.post("/predict", content=b"--b", headers=BOUNDARY), ("400", "malformed_form")),
        (lambda: client.post("/predict", content=b"x" * 600_000), ("413", "request_too_large")),
        (lambda: client.post("/predict", json={}), ("415", "unsupported_type")),
        (lambda: client.post("/v2/models/tiny/infer", content=b"{"), ("400", "malformed_request")),
        (lambda: client.get("/metrics", headers={"X-API-Key": "wrong"}), ("401", "unauthorized")),
    ]
    for play, (status, _) in plays:
        assert str(play().status_code) == status
    return Counter(expected for _, expected in plays)


def endings_of_connections(server: RunningServer, picture: bytes) -> Counter[End]:
    """What no client library sends."""
    address = urlsplit(server.url)
    for sent in (
        b"nonsense\r\n\r\n",
        HEAD + b"X: 1\r\n" * 101 + b"\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ):
        with socket.create_connection((address.hostname, address.port or 80), timeout=20) as connection:
            connection.sendall(sent)
            while connection.recv(65536):
                pass
    with socket.create_connection((address.hostname, address.port or 80), timeout=20) as connection:
        connection.sendall(HEAD + b"Content-Length: 400000\r\n\r\n" + picture)  # and leaves
    return Counter(
        {("400", "malformed_request"): 2, ("431", "header_too_large"): 1, ("499", "client_closed_request"): 1}
    )


def endings_over_grpc(server: RunningServer, picture: bytes) -> Counter[End]:
    tensor = triton.InferInput("image", [1], "BYTES").set_data_from_numpy(np.array([picture], dtype=object))
    with triton.InferenceServerClient(server.grpc_address) as client:
        client.infer("tiny", [tensor], headers={"x-api-key": KEY})
        for model, headers in (("other", {"x-api-key": KEY}), ("tiny", {})):
            with pytest.raises(InferenceServerException):
                client.infer(model, [tensor], headers=headers)
    with grpc.insecure_channel(server.grpc_address) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(INFER)(b"\xff", metadata=[("x-api-key", KEY)])
    return Counter(
        {
            ("OK", ""): 1,
            ("NOT_FOUND", "model_not_found"): 1,
            ("UNAUTHENTICATED", "unauthorized"): 1,
            ("INVALID_ARGUMENT", "malformed_request"): 1,
        }
    )


def counted(text: str, name: str, label: str) -> Counter[str]:
    """What a counter has by one of its labels."""
    rows = re.findall(rf'^resnet_service_{name}_total\{{.*?{label}="([^"]*)".*?\}} (\S+)$', text, flags=re.MULTILINE)
    total: Counter[str] = Counter()
    for value, count in rows:
        total[value] += int(float(count))
    return total


def test_all_tell_the_same(running: RunningServer, collector: Collector, red_jpeg: bytes) -> None:
    with httpx.Client(base_url=running.url, headers=HEADERS) as client:
        expected = endings_over_http(client, red_jpeg)
        expected += endings_of_connections(running, red_jpeg) + endings_over_grpc(running, red_jpeg)

        def metrics() -> str:
            return client.get("/metrics").text

        while not counted(metrics(), "errors", "code")["client_closed_request"]:  # a moment after it has left
            expected["200", ""] += 1
        expected["200", ""] += 1
        text = metrics()
        stats = client.get("/v2/models/tiny/stats").json()["model_stats"][0]["inference_stats"]
    expected["200", ""] += 1  # the statistics; the metrics, when they are made, don't know of themselves
    lines = in_the_log(running, sum(expected.values()) + 1)
    assert Counter((str(line["status"]), line.get("error", "")) for line in lines) == expected + Counter(
        {("200", ""): 1}
    )
    assert counted(text, "errors", "code") == by(expected, lambda end: end[1])
    expected["200", ""] -= 1
    assert counted(text, "requests", "status") == by(expected, lambda end: end[0])
    of_model = [line for line in lines if line["model"]]
    failed = sum("error" in line for line in of_model)
    assert (stats["success"]["count"], stats["fail"]["count"]) == (len(of_model) - failed, failed)
    answered = counted_in_total(text)
    assert answered == len(of_model) - failed
    for line in lines:
        span = values(collector.of(line["request_id"])["request"].attributes)
        assert str(span.get("http.response.status_code", span.get("rpc.response.status_code"))) == str(line["status"])


def by(endings: Counter[End], key: Callable[[End], str]) -> Counter[str]:
    total: Counter[str] = Counter()
    for end, count in endings.items():
        if key(end):
            total[key(end)] += count
    return total


def in_the_log(server: RunningServer, count: int) -> list[dict[str, str]]:
    assert server.process.stdout is not None
    return [json.loads(server.process.stdout.readline()) for _ in range(count)]


def counted_in_total(text: str) -> int:
    """Answers whose time was measured, of requests for the model."""
    found = re.search(
        r'^resnet_service_stage_seconds_count\{model="tiny",stage="total",version=".*?"\} (\S+)$', text, flags=re.M
    )
    assert found
    return int(float(found[1]))
