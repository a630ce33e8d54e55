"""Starting, refusing to start, and ending."""

import re
import shutil
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from contract import UsageError
from serve.config import ServeConfig
from tests.commands import RunningServer, run_module


def test_the_banner_says_what_was_proven(server: RunningServer) -> None:
    banner = "".join(server.banner)
    assert re.search(r"tiny, version [0-9a-f]{8}: resnet18, 3 classes", banner)
    assert re.search(r"Verified 10 files; golden files agree on cpu fp32 \(largest difference \d+\.\d % of", banner)
    assert re.search(r"Runs .*, at most \d images each, on \d+ threads: \d+\.\d images/s \(measured", banner)


def test_a_port_in_use_is_one_line_and_exit_3(bundle: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run_module("serve", "--bundle", str(bundle), "--port", str(port))
    assert (result.returncode, result.stderr) == (
        3, f"error: can't listen on 127.0.0.1:{port}: Address already in use; choose another PORT or HOST\n"
    )  # fmt: skip


def test_a_folder_that_is_no_bundle_is_one_line_and_exit_3(tmp_path: Path) -> None:
    result = run_module("serve", "--bundle", str(tmp_path), "--port", "0")
    assert result.returncode == 3
    assert result.stderr.startswith(f"error: {tmp_path} is not a bundle: it has no manifest.json; export the run first")
    assert len(result.stderr.splitlines()) == 1


def test_a_changed_model_is_refused(bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes()[:-1])
    result = run_module("serve", "--bundle", str(copy), "--port", "0")
    assert result.returncode == 3
    assert "model.onnx is changed; export it again" in result.stderr


def test_a_missing_provider_is_refused(bundle: Path) -> None:
    result = run_module("serve", "--bundle", str(bundle), "--port", "0", "--provider", "cuda")
    assert result.returncode == 3
    assert result.stderr.startswith("error: provider cuda is not available")


@pytest.mark.parametrize(
    "origin", ["https://example.org/page", "example.org", "https://", "ftp://example.org", "https://example.org:x"]
)
def test_an_origin_that_can_match_no_page_is_refused(origin: str) -> None:
    with pytest.raises(UsageError, match=r"expected an origin such as https://example\.org"):
        ServeConfig(bundle=Path(), cors_origins=(origin,))


def test_a_slash_at_the_end_of_an_origin_is_no_part_of_it() -> None:
    config = ServeConfig(bundle=Path(), cors_origins=("https://example.org/", "http://localhost:3000", "*"))
    assert config.allowed_origins == ("https://example.org", "http://localhost:3000", "*")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_ipv6_address_is_printed_as_one_can_open_it(bundle: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    running = RunningServer(bundle, "--host", "::1", "--drain-ms", "0")
    assert running.url.startswith("http://[::1]:")
    assert httpx.get(f"{running.url}/ping").status_code == 200
    assert running.stop() == (0, "")


def test_an_idle_connection_is_kept_as_long_as_was_asked(bundle: Path) -> None:
    assert ServeConfig(bundle=bundle).keep_alive_s > 60  # what balancers keep theirs
    running = RunningServer(bundle, "--keep-alive-s", "1", "--drain-ms", "0")
    address = urlsplit(running.url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=20) as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        began = time.monotonic()
        while connection.recv(65536):
            pass
        assert 0.5 < time.monotonic() - began < 10
    assert running.stop() == (0, "")


def test_bad_options_exit_2(bundle: Path) -> None:
    result = run_module("serve", "--bundle", str(bundle), "--port", "99999")
    assert (result.returncode, result.stderr) == (2, "error: port is 99999; expected 0 to 65535\n")


@pytest.mark.parametrize(
    ("number", "ending"),
    [pytest.param(signal.SIGTERM, (0, ""), marks=pytest.mark.slow), (signal.SIGINT, (130, "stopped.\n"))],
)
def test_a_signal_ends_the_server(
    bundle: Path, red_jpeg: bytes, number: signal.Signals, ending: tuple[int, str]
) -> None:
    running = RunningServer(bundle)
    assert httpx.post(f"{running.url}/predict", content=red_jpeg).status_code == 200
    assert running.stop(number) == ending


def test_a_session_that_is_broken_for_good_ends_the_server_with_a_word(bundle: Path, red_jpeg: bytes) -> None:
    running = RunningServer(bundle, module="tests.serve.breaking_server")
    assert httpx.post(f"{running.url}/predict", content=red_jpeg).status_code == 500
    _, errors = running.process.communicate(timeout=30)
    assert running.process.returncode == 1
    assert errors.splitlines()[-1] == (
        "error: the model's session crashed (CUDA failure 700), "
        "and crashed again on a black test image (CUDA failure 700); "
        "the server has stopped: start it again"
    )


def test_on_sigterm_readiness_goes_first_and_every_request_is_answered(bundle: Path, red_jpeg: bytes) -> None:
    running = RunningServer(bundle, "--drain-ms", "60000")
    answered, closing = [], threading.Event()

    def ask() -> None:
        """As behind a load balancer: as long as the server says that it is ready, and a little beyond."""
        with httpx.Client(base_url=running.url, timeout=60) as client:
            while not closing.is_set():
                answered.append(client.post("/predict", content=red_jpeg).status_code)

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask) for _ in range(8)]
        while len(answered) < 50:
            assert not any(future.done() for future in asking)
        running.process.send_signal(signal.SIGTERM)
        while httpx.get(f"{running.url}/ping").status_code == 200:
            pass
        leaving = httpx.post(f"{running.url}/predict", content=red_jpeg)
        closing.set()
    for future in asking:
        future.result()
    assert set(answered) == {200}
    assert (leaving.status_code, leaving.headers["Connection"]) == (200, "close")
    assert running.stop() == (0, "")  # a second signal ends the draining
