"""A server with a gRPC port, and clients of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from tests.commands import RunningServer


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
