"""What monitors and proxies send: HEAD, OPTIONS, slashes at the end, prefixes that a proxy strips."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.commands import RunningServer

READ = ["/", "/ping", "/v2", "/v2/health/live", "/v2/models/tiny", "/docs", "/openapi.json", "/page/page.js"]


@pytest.mark.parametrize("path", [*READ, "/nowhere", "/predict"])
def test_head_says_what_get_says_without_a_body(client: httpx.Client, path: str) -> None:
    told, asked = client.get(path), client.head(path)
    assert (asked.status_code, asked.content) == (told.status_code, b"")
    kept = ("content-type", "content-length", "etag", "allow")
    assert {name: asked.headers.get(name) for name in kept} == {name: told.headers.get(name) for name in kept}


def test_a_connection_goes_on_after_head(server: RunningServer) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=20) as connection:
        connection.sendall(b"HEAD /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = b""
        while part := connection.recv(65536):
            said += part
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert said.count(b"Healthy") == 1


@pytest.mark.parametrize(("path", "allowed"), [("/ping", "GET, HEAD, OPTIONS"), ("/predict", "POST, OPTIONS")])
def test_options_names_the_methods(client: httpx.Client, path: str, allowed: str) -> None:
    answer = client.options(path)
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (204, allowed, b"")


def test_options_of_an_unknown_path_is_404(client: httpx.Client) -> None:
    assert client.options("/nowhere").status_code == 404


@pytest.mark.parametrize("path", ["/predict/", "/ping/", "/v2/"])
def test_nobody_is_sent_elsewhere(client: httpx.Client, path: str) -> None:
    """Behind TLS the address would be that of this server, without it."""
    assert client.request("POST" if "predict" in path else "GET", path, follow_redirects=False).status_code == 404


def test_the_document_is_good_behind_a_prefix(client: httpx.Client) -> None:
    """Relative to where it is read: /leaves/openapi.json of a proxy that strips /leaves means /leaves/ping."""
    assert [entry["url"] for entry in client.get("/openapi.json").json()["servers"]] == ["."]
