"""Servers of a models folder whose admin token is known, and what they are asked."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.commands import RunningServer

TOKEN = "an-admin-token-of-some-length"
# One way of running is measured in place of two.
FEW = ("--runners", "1", "--threads", "1")
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


def administered(folder: Path) -> Iterator[RunningServer]:
    token = folder.parent / "token.txt"
    token.write_text(TOKEN)
    server = RunningServer(folder, *FEW, "--admin-token-file", str(token), "--drain-ms", "0", option="--models")
    yield server
    assert server.stop()[0] == 0


def until(holds: Callable[[], bool]) -> None:
    """Wait for it; pytest-timeout ends what never comes."""
    while not holds():
        pass


def version_of(server: RunningServer, picture: bytes) -> str:
    answer = httpx.post(f"{server.url}/predict", content=picture)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["version"])


def administer(server: RunningServer, route: str, **parameters: Any) -> httpx.Response:
    body = {"parameters": parameters} if parameters else None
    return httpx.post(f"{server.url}/v2/repository/{route}", json=body, headers=ADMIN, timeout=60)


def metric(server: RunningServer, pattern: str) -> float:
    bundle = re.search(
        rf"^resnet_service_{pattern} (\S+)$", httpx.get(f"{server.url}/metrics").text, flags=re.MULTILINE
    )
    return float(bundle[1]) if bundle else 0.0
