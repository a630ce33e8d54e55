"""A session that crashes, and a client that hangs up: the server says so and lives."""

import asyncio
import re
import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
from numpy.typing import NDArray

from contract.graph import Outputs
from runtime import Session, load_model
from serve.app import create_app
from serve.config import ServeConfig
from tests.commands import RunningServer


class CrashingSession(Session):
    """A real session that fails once."""

    crashes = 1

    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        if self.crashes:
            self.crashes -= 1
            raise RuntimeError("out of memory at /secret/path")
        return super().run(images_nhwc)


def test_a_crash_in_the_session_is_500_without_details_and_the_server_lives(bundle: Path, red_jpeg: bytes) -> None:
    async def scenario() -> tuple[httpx.Response, httpx.Response, str]:
        model = replace(load_model(bundle), session=CrashingSession((bundle / "model.onnx").read_bytes()))
        app = create_app(model, ServeConfig(bundle=bundle))
        worker = asyncio.create_task(app.state.service.batcher.work())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            first = await client.post("/predict", content=red_jpeg)
            second = await client.post("/predict", content=red_jpeg)
            metrics = (await client.get("/metrics")).text
        worker.cancel()
        return first, second, metrics

    first, second, metrics = asyncio.run(scenario())
    assert first.status_code == 500
    assert first.json()["error"]["code"] == "internal_error"
    assert "secret" not in first.text
    assert second.json()["predictions"][0]["label"] == "red"
    assert 'requests_total{route="/predict",status="500"} 1.0' in metrics


def test_a_client_that_hangs_up_leaves_no_stack_trace(bundle: Path) -> None:
    running = RunningServer(bundle)
    address = urlsplit(running.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")

    def hung_up() -> bool:
        metrics = httpx.get(f"{running.url}/metrics").text
        return re.search(r'requests_total\{route="/predict",status="499"\} 1\.0', metrics) is not None

    while not hung_up():  # pytest-timeout ends a server that never notices
        pass
    assert running.stop() == (0, "")
