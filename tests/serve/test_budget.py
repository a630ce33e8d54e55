"""Many bodies on their way, on a server that holds only a few megabytes of them."""

import select
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from PIL import Image
from tritonclient.grpc.service_pb2 import ModelReadyRequest
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from contract import ImageError, UsageError
from contract.errors import StartError
from contract.request_error import RequestError
from runtime import machine
from serve.budget import MemoryBudget
from serve.config import ServeConfig
from serve.grpc.calls import SERVICE
from serve.server import keep_within_container
from tests.commands import RunningServer
from tests.pictures import encode
from tests.serve.network.sockets import connect
from tests.torchserve import wait_until

LIMITS = ("--max-body-mb", "1", "--max-memory-mb", "10", "--grpc-port", "0", "--drain-ms", "0")


@pytest.fixture(scope="module")
def small_server(bundle: Path) -> Iterator[RunningServer]:
    """It holds at most 4 MB of bodies, 3 of them large ones, and 2 MB of gRPC messages that it does not know yet."""
    running = RunningServer(bundle, "--runners", "1", "--threads", "1", *LIMITS)
    yield running
    assert running.stop() == (0, "")


@pytest.mark.parametrize(
    "kind", [b"", b"Content-Type: multipart/form-data; boundary=x\r\n"], ids=["raw bytes", "a form"]
)
@pytest.mark.parametrize("route", [b"/predict", b"/annotate", b"/predictions/tiny", b"/v2/models/tiny/infer"])
def test_bodies_that_are_never_complete_take_no_more_than_their_budget(
    small_server: RunningServer, red_jpeg: bytes, route: bytes, kind: bytes
) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: 950000\r\n\r\n" % (route, kind)
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' if kind else b""
    with ExitStack() as stack:
        # Large bodies may take 3 MB of the 4: all but one.
        clients = [stack.enter_context(connect(small_server)) for _ in range(4)]
        for client in clients:
            client.sendall(head + part + b"x" * 900_000)
        (refused,) = select.select(clients, [], [], 20)[0]
        answer = b""
        while not answer.endswith(b"}"):
            answer += refused.recv(65536)
        assert answer.startswith(b"HTTP/1.1 429")
        assert b"retry-after: 1\r\n" in answer.lower()
        assert b"hold all the memory that they may take" in answer
    wait_for_room(small_server, red_jpeg)


def test_small_requests_are_answered_while_large_ones_hold_what_they_may(
    small_server: RunningServer, red_jpeg: bytes
) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(small_server)) for _ in range(5)]
        for client in clients:
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 950000\r\n\r\n" + b"x" * 900_000)
        assert select.select(clients, [], [], 20)[0]
        assert httpx.post(f"{small_server.url}/predict", content=red_jpeg).status_code == 200
    wait_for_room(small_server, red_jpeg)


def test_a_picture_that_can_not_be_unpacked_within_the_budget_is_413(small_server: RunningServer) -> None:
    refused = httpx.post(f"{small_server.url}/predict", content=encode(Image.new("RGB", (1500, 1000)), "PNG"))
    assert refused.status_code == 413
    assert refused.json()["error"]["code"] == "image_too_large"
    assert "takes 8 MB of memory once it is unpacked; expected at most 6 MB" in refused.json()["error"]["message"]


def test_the_largest_body_fits_into_the_least_memory_that_may_be_given() -> None:
    config = ServeConfig(bundle=Path("bundle"), max_body_mb=20, max_memory_mb=80)
    with MemoryBudget(config.max_memory_bytes).account() as account:
        account.take(config.max_body_bytes)
    with pytest.raises(UsageError, match=r"max_memory_mb is 79; expected at least 80, 4 x max_body_mb"):
        ServeConfig(bundle=Path("bundle"), max_body_mb=20, max_memory_mb=79)


def test_pictures_wait_until_there_is_room_for_them() -> None:
    budget, started, leave = MemoryBudget(100), list[int](), [threading.Event() for _ in range(3)]

    def unpack(number: int) -> None:
        with budget.room(45):
            started.append(number)
            leave[number].wait()

    with ThreadPoolExecutor(3) as pool:
        doing = [pool.submit(unpack, number) for number in range(3)]
        wait_until(lambda: len(started) == 2)
        leave[started[0]].set()
        wait_until(lambda: len(started) == 3)
        with budget.account() as account:
            account.take(25)
            with pytest.raises(RequestError, match="hold all the memory"):
                account.take(10)
        for event in leave:
            event.set()
        assert [done.result() for done in doing] == [None] * 3
    with budget.room(60):  # alone it has room, whatever bodies hold
        pass
    with pytest.raises(ImageError, match="expected at most 0 MB"), budget.room(61):
        pass


def wait_for_room(running: RunningServer, picture: bytes) -> None:
    """What the others held is given back once they have left."""
    large = picture + b"\0" * (990_000 - len(picture))
    while (answer := httpx.post(f"{running.url}/predict", content=large)).status_code == 429:
        pass
    assert answer.status_code == 200


def test_a_refused_client_and_an_answered_one_leave_nothing_behind(
    small_server: RunningServer, red_jpeg: bytes
) -> None:
    large = red_jpeg + b"\0" * (990_000 - len(red_jpeg))
    for _ in range(10):
        assert httpx.post(f"{small_server.url}/predict", content=large).status_code == 200
        assert httpx.post(f"{small_server.url}/predict", content=b"x" * 990_000).status_code == 415
        assert httpx.post(f"{small_server.url}/predict", content=b"x" * 1_100_000).status_code == 413


def test_messages_that_never_come_leave_room_for_http_and_are_refused_beyond_it(
    small_server: RunningServer, red_jpeg: bytes
) -> None:
    leaving = threading.Event()

    def nothing() -> Iterator[bytes]:
        leaving.wait()
        yield from ()

    with grpc.insecure_channel(small_server.grpc_address) as channel:
        silent = [channel.stream_unary(f"{SERVICE}ModelInfer").future(nothing()) for _ in range(2)]
        asking = GRPCInferenceServiceStub(channel)
        while not (refusal := refusal_of(asking)):  # until both silent ones have reached the server
            pass
        assert refusal.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(refusal.trailing_metadata())["retry-after"] == "1"
        assert httpx.post(f"{small_server.url}/predict", content=red_jpeg).status_code == 200
        leaving.set()
        assert all(call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED for call in silent)
        assert asking.ModelReady(ModelReadyRequest(name="tiny")).ready


def refusal_of(stub: Any) -> Any:
    """Why a small call is refused; None if it is answered."""
    try:
        stub.ModelReady(ModelReadyRequest(name="tiny"))
    except grpc.RpcError as error:
        return error
    return None


@pytest.mark.parametrize(("room", "most"), [(2_000_000_000, 400_000_000), (130_000_000, 100_000_000)])
def test_requests_get_what_the_container_has_left_beside_the_models(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, most: int
) -> None:
    config = ServeConfig(bundle=bundle)
    budget = MemoryBudget(config.max_memory_bytes)
    limit_container(tmp_path, monkeypatch, 500_000_000 + room)
    keep_within_container(config, budget)
    assert budget.limit == most


def test_a_container_that_is_too_small_for_one_body_is_refused_with_what_it_takes(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_container(tmp_path, monkeypatch, 512_000_000)
    with pytest.raises(
        StartError,
        match="may take 512 MB of memory, of which the loaded models take 500; expected at least 604 MB, or a lower",
    ):
        keep_within_container(ServeConfig(bundle=bundle), MemoryBudget(400_000_000))


def limit_container(cgroup: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """In which 500 MB are taken."""
    (cgroup / "memory.max").write_text(str(limit))
    monkeypatch.setattr(machine, "CGROUP", cgroup)
    monkeypatch.setattr("serve.server.resident_bytes", lambda: 500_000_000)
