"""Who may ask, over which line, and what is written down of it."""

import json
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.commands import RunningServer, run_module
from tests.serve.administered import until

KEY = "a-key-of-sixteen-characters-or-more"


@pytest.fixture(scope="module")
def guarded(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a key, another site that may ask, and an access log."""
    path = tmp_path_factory.mktemp("key") / "key.txt"
    path.write_text(f"{KEY}\n")
    options = ("--api-key-file", str(path), "--cors-origins", "https://example.org", "--access-log")
    running = RunningServer(bundle, *options, "--drain-ms", "0")
    yield running
    running.process.kill()
    running.process.communicate()


@pytest.mark.parametrize("headers", [{"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}])
def test_who_has_the_key_is_answered(guarded: RunningServer, red_jpeg: bytes, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{guarded.url}/predict", content=red_jpeg, headers=headers)
    assert answer.json()["predictions"][0]["label"] == "red"


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": f"Basic {KEY}"}, {"Authorization": "Bearer"}]
)
def test_who_has_not_is_401_on_every_route_but_health_page_and_docs(
    guarded: RunningServer, headers: dict[str, str]
) -> None:
    described = httpx.get(f"{guarded.url}/openapi.json").json()["paths"]
    refused = {
        path
        for path, methods in described.items()
        for method in methods
        if httpx.request(method, f"{guarded.url}{path}", headers=headers).status_code == 401
    }
    assert set(described) - refused == {"/ping", "/v2/health/live", "/v2/health/ready"}
    for path in ("/metrics", "//predict", "/nowhere"):
        assert httpx.get(f"{guarded.url}{path}", headers=headers).status_code in {401, 404}
    for path in ("/", "/docs", "/openapi.json", "/swagger/swagger-ui.css"):
        assert httpx.get(f"{guarded.url}{path}", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path", ["/page/../metrics", "/page/..%2fmetrics", "/page//metrics", "/ping/../metrics", "/swagger/../metrics"]
)
def test_the_key_is_not_got_around_through_what_is_open(guarded: RunningServer, path: str) -> None:
    address = urlsplit(guarded.url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(65536).split()[1] in {b"401", b"404"}


def test_a_page_of_the_other_site_may_ask_and_no_other(guarded: RunningServer, server: RunningServer) -> None:
    def allowed(running: RunningServer, origin: str) -> str | None:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        found = httpx.options(f"{running.url}/predict", headers=headers).headers
        origin_allowed: str | None = found.get("Access-Control-Allow-Origin")
        return origin_allowed

    assert allowed(guarded, "https://example.org") == "https://example.org"
    assert allowed(guarded, "https://evil.example") is None
    assert allowed(server, "https://example.org") is None


@pytest.mark.parametrize(
    ("given", "kept"), [("order-7", True), ("x" * 65, False), ("a b", False), ("a\tb", False), ("é", False)]
)
def test_a_request_keeps_a_usable_id_and_gets_another_for_any_else(
    server: RunningServer, given: str, kept: bool
) -> None:
    answer = httpx.get(f"{server.url}/ping", headers={b"X-Request-Id": given.encode()})
    assert (answer.headers["X-Request-Id"] == given) is kept
    assert 1 <= len(answer.headers["X-Request-Id"]) <= 64


def test_the_access_log_is_a_line_of_json_for_each_request(guarded: RunningServer, red_jpeg: bytes) -> None:
    headers = {"X-API-Key": KEY, "X-Request-Id": "leaf-1", "User-Agent": "evil"}
    httpx.post(f"{guarded.url}/predict?secret=%0a%1b", content=red_jpeg, headers=headers)
    assert guarded.process.stdout is not None
    lines = (json.loads(line) for line in guarded.process.stdout)
    line = next(line for line in lines if line["request_id"] == "leaf-1")
    assert (line["method"], line["route"], line["status"], line["client"]) == ("POST", "/predict", 200, "127.0.0.1")
    assert line["model"] == "tiny"
    assert {"decode_ms", "queue_ms", "inference_ms", "total_ms"} <= set(line)
    assert "secret" not in json.dumps(line)
    foreign = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST", "X-Request-Id": "evil-1"}
    httpx.options(f"{guarded.url}/predict", headers=foreign)
    line = next(line for line in lines if line["request_id"] == "evil-1")
    assert (line["status"], line["error"]) == (400, "http_error")


@pytest.mark.slow
def test_a_log_that_nobody_reads_stops_neither_the_answers_nor_the_end(bundle: Path) -> None:
    running = RunningServer(bundle, "--access-log", "--drain-ms", "0")
    with httpx.Client(base_url=running.url) as client:
        for _ in range(1000):  # more than a pipe holds
            assert client.get("/ping").status_code == 200
    running.process.terminate()
    assert running.process.wait(timeout=30) == 0
    _, errors = running.process.communicate()
    assert errors == ""


@pytest.mark.parametrize(
    ("text", "problem"), [("short", "has 5 characters"), ("", "has 0 characters"), ("é" * 20, "ASCII")]
)
def test_a_key_that_is_no_key_is_refused_at_start(bundle: Path, tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "key.txt").write_text(text)
    result = run_module("serve", "--bundle", str(bundle), "--port", "0", "--api-key-file", str(tmp_path / "key.txt"))
    assert result.returncode == 3
    assert problem in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_admin_token_is_not_the_key_that_everybody_has(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(KEY)
    both = [part for name in ("api-key", "admin-token") for part in (f"--{name}-file", str(tmp_path / "key.txt"))]
    result = run_module("serve", "--bundle", str(bundle), "--port", "0", *both)
    assert (result.returncode, result.stdout) == (3, "")
    assert "the admin token equals the API key" in result.stderr


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, which openssl makes."""
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "cert.pem", folder / "key.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "1", "-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run(["openssl", "req", "-x509", *made, *names], check=True, capture_output=True)
    return files


def test_https_with_a_certificate(bundle: Path, certificate: tuple[Path, Path], red_jpeg: bytes) -> None:
    path, key = certificate
    running = RunningServer(bundle, "--tls-certificate", str(path), "--tls-key", str(key), "--drain-ms", "0")
    assert running.url.startswith("https://")
    trusted = ssl.create_default_context(cafile=str(path))
    answer = httpx.post(f"{running.url}/predict", content=red_jpeg, verify=trusted)
    assert answer.json()["predictions"][0]["label"] == "red"
    assert running.stop() == (0, "")


def listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=20).close()
    except ConnectionRefusedError:
        return False
    return True


def test_who_is_connected_when_the_server_ends_may_take_the_time_of_a_handshake_and_ask(
    bundle: Path, certificate: tuple[Path, Path], red_jpeg: bytes
) -> None:
    path, key = certificate
    running = RunningServer(bundle, "--tls-certificate", str(path), "--tls-key", str(key), "--drain-ms", "0")
    address = ("127.0.0.1", urlsplit(running.url).port or 443)
    with socket.create_connection(address, timeout=20) as connection:
        running.process.send_signal(signal.SIGTERM)
        until(lambda: not listens(address))
        trusted = ssl.create_default_context(cafile=str(path))
        with trusted.wrap_socket(connection, server_hostname=address[0]) as wrapped:
            head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(red_jpeg)}\r\n\r\n"
            wrapped.sendall(head.encode() + red_jpeg)
            assert wrapped.recv(4096).startswith(b"HTTP/1.1 200 OK")
    _, errors = running.process.communicate(timeout=30)
    assert (running.process.returncode, errors) == (0, "")


@pytest.mark.slow
def test_who_does_not_finish_the_handshake_is_hung_up_on_and_harms_nobody(
    bundle: Path, certificate: tuple[Path, Path], red_jpeg: bytes
) -> None:
    path, key = certificate
    running = RunningServer(bundle, "--tls-certificate", str(path), "--tls-key", str(key), "--drain-ms", "0")
    address, trusted = urlsplit(running.url), ssl.create_default_context(cafile=str(path))
    with ExitStack() as stack, httpx.Client(base_url=running.url, verify=trusted) as honest:
        begun, silent = time.monotonic(), []
        for said in (b"", b"\x16\x03\x01\x02") * 10:
            connection = socket.create_connection((address.hostname, address.port or 443), timeout=20)
            silent.append(stack.enter_context(connection))
            connection.sendall(said)
            assert honest.post("/predict", content=red_jpeg).json()["predictions"][0]["label"] == "red"
        assert [connection.recv(1) for connection in silent] == [b""] * 20
        assert time.monotonic() - begun < 20
    assert running.stop() == (0, "")


def test_a_certificate_without_its_key_is_refused(bundle: Path, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    path, _ = certificate
    alone = run_module("serve", "--bundle", str(bundle), "--tls-certificate", str(path))
    assert (alone.returncode, alone.stderr) == (2, "error: tls_certificate or tls_key is missing; expected both\n")
    (tmp_path / "other.pem").write_text("no key")
    options = ("--tls-certificate", str(path), "--tls-key", str(tmp_path / "other.pem"))
    broken = run_module("serve", "--bundle", str(bundle), "--port", "0", *options)
    assert broken.returncode == 3
    assert "can't be used" in broken.stderr
