"""The health service that gRPC defines, as Kubernetes' probes, Envoy and gRPC's own clients ask it."""

import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.commands import RunningServer
from tests.serve.grpc.asking import refusal

SERVICES = ("", "inference.GRPCInferenceService")


@pytest.fixture(scope="module")
def running(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    key = tmp_path_factory.mktemp("key") / "key.txt"
    key.write_text("a key of some length")
    running = RunningServer(bundle, "--grpc-port", "0", "--drain-ms", "0", "--api-key-file", str(key))
    yield running
    assert running.stop() == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_key_a_service_is_checked(running: RunningServer, service: str) -> None:
    with grpc.insecure_channel(running.grpc_address) as channel:
        answer = HealthStub(channel).Check(HealthCheckRequest(service=service))
    assert answer.status == HealthCheckResponse.SERVING


def test_another_service_is_not_found(running: RunningServer) -> None:
    with grpc.insecure_channel(running.grpc_address) as channel:
        ask = partial(HealthStub(channel).Check, HealthCheckRequest(service="leaf"))
        assert refusal(ask)[0] == grpc.StatusCode.NOT_FOUND
        watched = HealthStub(channel).Watch(HealthCheckRequest(service="leaf"))
        assert next(watched).status == HealthCheckResponse.SERVICE_UNKNOWN
        watched.cancel()


def test_what_is_no_message_is_an_invalid_argument(running: RunningServer) -> None:
    with grpc.insecure_channel(running.grpc_address) as channel:
        for name, ask in (("Check", channel.unary_unary), ("Watch", channel.unary_stream)):
            call: Any = ask(f"/grpc.health.v1.Health/{name}")
            sent = partial(call, b"\xff") if name == "Check" else partial(next, call(b"\xff"))
            assert refusal(sent)[0] == grpc.StatusCode.INVALID_ARGUMENT


def test_who_watches_hears_of_the_end_and_does_not_hold_it_up(bundle: Path) -> None:
    server = RunningServer(bundle, "--grpc-port", "0", "--drain-ms", "60000")
    with grpc.insecure_channel(server.grpc_address) as channel:
        watches = [HealthStub(channel).Watch(HealthCheckRequest(service=service)) for service in SERVICES]
        assert [next(watch).status for watch in watches] == [HealthCheckResponse.SERVING] * 2
        server.process.send_signal(signal.SIGTERM)
        assert [next(watch).status for watch in watches] == [HealthCheckResponse.NOT_SERVING] * 2
        assert server.stop() == (0, "")  # a second signal ends the draining
        assert [list(watch) for watch in watches] == [[], []]


@pytest.mark.slow
def test_a_watch_whose_message_never_comes_does_not_hold_up_the_end(bundle: Path) -> None:
    server = RunningServer(bundle, "--grpc-port", "0", "--drain-ms", "0")
    leaving = threading.Event()

    def nothing() -> Iterator[bytes]:
        leaving.wait()
        yield from ()

    with grpc.insecure_channel(server.grpc_address) as channel:
        watch = channel.stream_stream("/grpc.health.v1.Health/Watch")(nothing())
        assert HealthStub(channel).Check(HealthCheckRequest()).status == HealthCheckResponse.SERVING
        assert server.stop() == (0, "")
        assert refusal(partial(next, watch))[0] == grpc.StatusCode.DEADLINE_EXCEEDED
        leaving.set()
