"""What a server promises however often it is asked for: versions exchanged and servers ended under load, nothing lost.

A commit tries it a few times, `make prove` a thousand and a hundred times.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.commands import RunningServer
from tests.effort import times
from tests.serve.administered import administer, administered, until
from tests.serve.versions import add_version

pytestmark = [pytest.mark.slow, pytest.mark.proof, pytest.mark.timeout(3600)]
CLIENTS = 2
SWAPS, ENDS = times(20, 1000), times(3, 100)
Answer = tuple[int, str, str]
"""The status, and of an answer the version and the best class."""


class Asking:
    """Clients that ask again and again, until they are told to stop or nobody listens any more."""

    def __init__(self, url: str, picture: bytes) -> None:
        self._url, self._picture, self._done = url, picture, threading.Event()
        self.answers = list[Answer]()

    @contextmanager
    def begun(self) -> "Iterator[list[Future[None]]]":
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._ask) for _ in range(CLIENTS)]
            until(lambda: len(self.answers) >= 2 * CLIENTS or any(client.done() for client in clients))
            try:
                yield clients
            finally:
                self._done.set()
        for client in clients:
            client.result()

    def _ask(self) -> None:
        while not self._done.is_set():
            try:
                answer = httpx.post(f"{self._url}/predict", content=self._picture, timeout=60)
            except httpx.ConnectError:  # nobody listens; whoever was let in must be answered
                return
            said = answer.json()
            best = said["predictions"][0]["label"] if answer.status_code == 200 else ""
            self.answers.append((answer.status_code, said.get("version", ""), best))


def test_versions_take_turns_and_every_request_is_answered_by_one_of_them(
    bundle: Path, tmp_path: Path, red_jpeg: bytes
) -> None:
    folder = tmp_path / "models"
    add_version(bundle, folder, "leaf", "one")
    for running in administered(folder):
        add_version(bundle, folder, "leaf", "two", other_way_round=True)
        asking = Asking(running.url, red_jpeg)
        with asking.begun():
            for swap in range(SWAPS):
                version = ("two", "one")[swap % 2]
                assert administer(running, "models/leaf/load", version=version).status_code == 200
        assert {version for _, version, _ in asking.answers} == {"one", "two"}
        assert len(set(asking.answers)) == 2, "each version always says the same"


def test_a_server_that_is_ended_answers_whom_it_has_let_in(bundle: Path, red_jpeg: bytes) -> None:
    for _ in range(ENDS):
        running = RunningServer(bundle, "--drain-ms", "200")
        asking = Asking(running.url, red_jpeg)
        with asking.begun() as clients:
            assert running.stop() == (0, "")
            until(lambda: all(client.done() for client in clients))
        assert {(status, best) for status, _, best in asking.answers} == {(200, "red")}
