"""Folders, files that have changed, and pages of a proxy: the page says what is the matter."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.commands import RunningServer
from tests.serve.rest.ui.browser import cards, choose, wait

pytestmark = pytest.mark.slow

DRAG = "dragEnter", "dragOver", "drop"


def drop(page: Chrome, path: Path) -> None:
    """As a person drops a file or a folder from the desktop on the page."""
    for kind in DRAG:
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        page.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 200, "data": data})


def test_a_folder_stands_for_its_pictures(page: Chrome, files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    files[0].rename(tmp_path / "inside" / "red.jpg")
    (tmp_path / "inside" / ".DS_Store").write_bytes(b"x")
    drop(page, tmp_path)
    answers = cards(page)
    assert set(answers) == {"red.jpg", "blue.jpg", "notes.jpg"}
    assert "红色" in answers["red.jpg"].text


def test_an_empty_folder_is_said_to_be(page: Chrome, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    drop(page, tmp_path / "empty")
    wait(page, lambda _: page.find_element(By.ID, "status").text.startswith("There is no picture in it."))


def test_a_file_that_has_changed_since_is_named_as_the_cause(page: Chrome, files: list[Path]) -> None:
    choose(page, files[0])
    card = cards(page)["red.jpg"]
    files[0].unlink()
    card.find_element(By.CLASS_NAME, "download").click()
    wait(page, lambda _: card.find_elements(By.CLASS_NAME, "error"))
    assert card.find_element(By.CLASS_NAME, "error").text == (
        "This file can't be read: it is a folder, or it was moved or changed. Choose it again."
    )


@pytest.fixture
def proxied(server: RunningServer) -> Iterator[tuple[str, list[int]]]:
    """The address of a proxy that answers pictures itself, with a page and the first of these statuses."""
    statuses: list[int] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = httpx.get(f"{server.url}{self.path}")
            self.answer(found.status_code, found.content, found.headers["content-type"])

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(statuses.pop(0), b"<html><h1>nginx</h1></html>", "text/html")

        def answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = Thread(target=proxy.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_port}", statuses
        proxy.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (413, "The picture is too large for the proxy in front of the server (413)."),
        (502, "The proxy in front of the server gets no answer from it (502)."),
        (403, "A proxy in front of the server refused the picture (403)."),
    ],
)
def test_a_proxys_own_page_is_explained(
    chromium: Chrome, proxied: tuple[str, list[int]], files: list[Path], status: int, said: str
) -> None:
    address, statuses = proxied
    statuses.append(status)
    chromium.get(f"{address}/")
    choose(chromium, files[0])
    assert cards(chromium)["red.jpg"].find_element(By.CSS_SELECTOR, "[role=alert]").text == said
