"""A refusal reaches whatever client people use, however long the body behind it is."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import httpx
import pytest
import requests

from tests.commands import RunningServer
from tests.effort import times
from tests.serve.overloaded import Overloaded

REFUSED = Path(__file__).parent / "Refused.java"
IN_NODE = """
const [address, size, turns] = process.argv.slice(1);
for (let turn = 0; turn < Number(turns); turn++) {
  const answer = await fetch(address, {method: "POST", body: new Uint8Array(Number(size))});
  console.log(answer.status, (await answer.text()).length > 0);
}
"""
TURNS = times(10, 50)


@pytest.fixture(scope="module")
def locked(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    key = tmp_path_factory.mktemp("key") / "key.txt"
    key.write_text("an-api-key-of-some-length")
    running = RunningServer(bundle, "--api-key-file", str(key), "--drain-ms", "0")
    yield running
    assert running.stop() == (0, "")


def by_urllib(address: str, size: int) -> Iterator[int]:
    for _ in range(TURNS):
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(address, data=bytes(size), method="POST"), timeout=60)
        with refused.value as answer:
            yield answer.code


def by_httpx(address: str, size: int) -> Iterator[int]:
    for _ in range(TURNS):
        yield httpx.post(address, content=bytes(size), timeout=60).status_code


def by_requests(address: str, size: int) -> Iterator[int]:
    for _ in range(TURNS):
        yield requests.post(address, data=bytes(size), timeout=60).status_code


def by_program(*command: str) -> Iterator[int]:
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]} here")
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return (int(line.split()[0]) for line in done.stdout.splitlines())


def by_curl(address: str, size: int) -> Iterator[int]:
    body = f"head -c {size} /dev/zero | curl -s -o /dev/null -w '%{{http_code}}\\n' --data-binary @- {address}"
    for _ in range(TURNS):
        yield from by_program("sh", "-c", body)


def by_node(address: str, size: int) -> Iterator[int]:
    return by_program("node", "--input-type=module", "-e", IN_NODE, address, str(size), str(TURNS))


def by_java(address: str, size: int) -> Iterator[int]:
    return by_program("java", str(REFUSED), address, str(size), str(TURNS))


Client = Callable[[str, int], Iterator[int]]
pytestmark = [pytest.mark.slow, pytest.mark.proof, pytest.mark.timeout(3600)]
every_client = pytest.mark.parametrize("send", [by_urllib, by_httpx, by_requests, by_curl, by_node, by_java])


def told(send: Client, url: str, megabytes: int) -> set[int]:
    """What the client heard, each time."""
    statuses = list(send(f"{url}/predict", megabytes * 1_000_000))
    assert len(statuses) >= TURNS
    return set(statuses)


@every_client
@pytest.mark.parametrize("megabytes", [21, 60])
def test_every_client_is_told_that_it_sends_too_much(send: Client, megabytes: int, server: RunningServer) -> None:
    assert told(send, server.url, megabytes) == {413}


@every_client
@pytest.mark.parametrize("megabytes", [1, 5, 18, 60])
def test_every_client_is_told_that_it_lacks_the_key(send: Client, megabytes: int, locked: RunningServer) -> None:
    assert told(send, locked.url, megabytes) == {401}


@every_client
@pytest.mark.parametrize("megabytes", [1, 5, 18])
def test_every_client_is_told_to_come_again(send: Client, megabytes: int, bundle: Path, red_jpeg: bytes) -> None:
    with Overloaded(bundle, red_jpeg) as server:
        assert told(send, server.url, megabytes) == {429}
