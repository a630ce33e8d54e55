"""Memory does not grow with requests, good and bad; and a server in which it does is found out."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from scipy import stats

from tests.commands import RunningServer

pytestmark = pytest.mark.slow

WINDOWS, REQUESTS = 20, 200
ALLOWED = 2_048
"""Bytes a request, a sixteenth of what the leaky server keeps; what an allocator does by itself is less."""


def growth(running: RunningServer, picture: bytes) -> tuple[float, float]:
    """The bytes that each request leaves behind, 95 % interval (Theil-Sen); the first quarter does not count."""
    bodies = [picture, picture[:-100], b"", b"GIF89a", picture]
    process = psutil.Process(running.process.pid)
    used: list[float] = []
    with ThreadPoolExecutor(4) as pool, httpx.Client(base_url=running.url, timeout=60) as client:
        for _ in range(WINDOWS):
            statuses = pool.map(
                lambda number: client.post("/predict", content=bodies[number % 5]).status_code, range(REQUESTS)
            )
            assert set(statuses) == {200, 400, 415}
            used.append(process.memory_full_info().uss)
    settled = used[WINDOWS // 4 :]
    fit = stats.theilslopes(settled, REQUESTS * np.arange(len(settled)), alpha=0.95)
    return float(fit.low_slope), float(fit.high_slope)


def test_memory_does_not_grow(bundle: Path, red_jpeg: bytes) -> None:
    running = RunningServer(bundle, "--drain-ms", "0")
    _, upper = growth(running, red_jpeg)
    assert upper < ALLOWED
    assert running.stop() == (0, "")


def test_a_leak_is_found(bundle: Path, red_jpeg: bytes) -> None:
    running = RunningServer(bundle, module="tests.serve.network.leaky_server")
    lower, _ = growth(running, red_jpeg)
    assert lower > ALLOWED
    running.process.kill()
    running.process.communicate()
