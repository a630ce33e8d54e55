"""gRPC calls as clients make them, and what comes of them."""

from collections.abc import Callable
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.grpc.service_pb2 import ModelInferRequest

from tests.commands import RunningServer

Status = grpc.StatusCode
SERVICE = "/inference.GRPCInferenceService/"


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


def request_for(**changes: Any) -> Any:
    given = {"name": "image", "datatype": "BYTES", "shape": [1], "contents": {"bytes_contents": [b"AAAA"]}, **changes}
    return ModelInferRequest(model_name="tiny", inputs=[given])


def with_raw(*raw: bytes, contents: dict[str, Any] | None = None, **changes: Any) -> Any:
    request = request_for(contents=contents, **changes)
    request.raw_input_contents.extend(raw)
    return request
