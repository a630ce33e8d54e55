"""Calls that take long: cancelled, too many, and the end of the server."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.grpc.service_pb2 import ServerLiveRequest
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from tests.commands import RunningServer
from tests.serve.grpc.asking import SERVICE, Status, as_bytes, counted, refusal, request_for, with_raw

# One picture after another, and the queue may be long: time enough to look at a call while it is under way.
SLOW = ("--runners", "1", "--threads", "1", "--max-batch", "1", "--max-files", "1500", "--timeout-ms", "100000")


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
