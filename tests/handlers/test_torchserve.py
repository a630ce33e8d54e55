"""The archive in the real TorchServe: its answers, its refusals, its batches, and what it survives."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from export.archive import ArchiveConfig, Engine, archive
from tests.oddities import NO_PICTURES, ODD_PICTURES
from tests.torchserve import RunningTorchServe

pytestmark = pytest.mark.slow
GIF = NO_PICTURES["gif"]


@pytest.fixture(scope="module", params=["torchscript", "onnx"])
def engine(request: pytest.FixtureRequest) -> Engine:
    chosen: Engine = request.param
    return chosen


@pytest.fixture(scope="module")
def torchserve(engine: Engine, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTorchServe]:
    folder = tmp_path_factory.mktemp("ts")
    archive(ArchiveConfig(bundle=bundle, store=folder / "store", engine=engine))
    running = RunningTorchServe(folder / "store", "tiny", folder)
    yield running
    assert running.stop() == []


@pytest.fixture
def http(torchserve: RunningTorchServe) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=torchserve.url, timeout=60) as client:
        yield client


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_it_says_where_it_answers(torchserve: RunningTorchServe, http: httpx.Client) -> None:
    assert torchserve.output.splitlines()[-1].startswith(f"Ready: {torchserve.url}/predictions/tiny")
    assert http.get("/ping").json() == {"status": "Healthy"}


def test_a_second_one_is_not_started_beside_it(torchserve: RunningTorchServe) -> None:
    second = torchserve.launch("start", "--name", "tiny", "--store", str(torchserve.folder / "store"))
    assert second.returncode == 3
    assert second.stderr == "error: TorchServe is already running; stop it first: make torchserve-stop\n"


@pytest.mark.parametrize("name", [*ODD_PICTURES, *NO_PICTURES])
def test_every_picture_gets_the_lean_servers_answer(http: httpx.Client, client: httpx.Client, name: str) -> None:
    data = {**ODD_PICTURES, **NO_PICTURES}[name]
    headers = {"Content-Type": "application/octet-stream"}
    ours = http.post("/predictions/tiny", content=data, headers=headers)
    lean = client.post("/predictions/tiny", content=data, headers=headers)
    assert ours.status_code == lean.status_code == (200 if name in ODD_PICTURES else lean.status_code)
    if name in ODD_PICTURES:
        assert ours.json() == pytest.approx(lean.json(), rel=1e-3, abs=1e-4)
    else:
        assert ours.json() == lean.json()


def test_the_large_photographs_get_the_lean_servers_answers(
    http: httpx.Client, client: httpx.Client, shared_data: Path
) -> None:
    photographs = sorted((shared_data / "oddities" / "large_photos").iterdir())
    assert photographs
    for path in photographs:
        lean = client.post("/predictions/tiny", content=path.read_bytes(), headers={"Content-Type": "image/jpeg"})
        ours = http.post("/predictions/tiny", content=path.read_bytes(), headers={"Content-Type": "image/jpeg"})
        assert ours.json() == pytest.approx(lean.json(), rel=1e-3, abs=1e-4)


def test_every_form_gets_the_same_answer(http: httpx.Client, red_jpeg: bytes) -> None:
    text = encoded(red_jpeg)
    requests: list[dict[str, Any]] = [
        {"content": red_jpeg, "headers": {"Content-Type": "image/jpeg"}},
        {"files": {"data": ("leaf.jpg", red_jpeg, "image/jpeg")}},
        {"files": {"file": ("leaf.jpg", red_jpeg, "image/jpeg")}},
        {"json": {"b64": text}},
        {"json": {"data": text}},
        {"content": text, "headers": {"Content-Type": "text/plain"}},
        {"content": f'{{"b64": "{text}"}}', "headers": {"Content-Type": "application/json; charset=utf-8"}},
    ]
    answers = [http.post("/predictions/tiny", **request) for request in requests]
    assert [answer.status_code for answer in answers] == [200] * len(requests)
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    assert all(answer.json() == answers[0].json() for answer in answers)


def test_a_text_file_is_no_picture(http: httpx.Client) -> None:
    answer = http.post("/predictions/tiny", files={"data": ("notes.txt", b"Notes of Monday, rain.", "text/plain")})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_type")


def test_json_without_its_content_type_says_so(http: httpx.Client, red_jpeg: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = http.post("/predictions/tiny", content=f'{{"b64": "{encoded(red_jpeg)}"}}', headers=headers)
    assert answer.status_code == 422
    assert "JSON as application/json" in answer.json()["error"]["message"]


def test_kserve_version_1(http: httpx.Client, red_jpeg: bytes) -> None:
    body = {"instances": [{"data": encoded(red_jpeg)}, encoded(ODD_PICTURES["palette"])]}
    answer = http.post("/v1/models/tiny:predict", json=body).json()
    assert [next(iter(entry)) for entry in answer["predictions"]] == ["red", "blue"]
    explained = http.post("/v1/models/tiny:explain", json=body).json()
    assert [entry["label"] for entry in explained["explanations"]] == ["red", "blue"]


def test_kserve_version_2(http: httpx.Client, red_jpeg: bytes) -> None:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [encoded(red_jpeg)]}
    answer = http.post("/v2/models/tiny/infer", json={"id": "7", "inputs": [tensor]}).json()
    assert (answer["model_name"], answer["id"]) == ("tiny", "7")
    assert answer["outputs"][0]["data"] == ["red"]
    explained = http.post("/v2/models/tiny/explain", json={"inputs": [tensor]}).json()
    assert [entry["name"] for entry in explained["outputs"]] == ["label", "activation_map"]


def test_explanations(http: httpx.Client, red_jpeg: bytes) -> None:
    answer = http.post("/explanations/tiny", files={"data": red_jpeg}).json()
    assert set(answer) == {"label", "display_name", "probability", "activation_map", "view"}
    assert (answer["label"], answer["display_name"]) == ("red", "红色")


def test_bad_pictures_in_full_batches_fail_alone(
    torchserve: RunningTorchServe, http: httpx.Client, red_jpeg: bytes
) -> None:
    batches, pictures = figure(torchserve, "Batches"), figure(torchserve, "Pictures")
    bodies = [GIF if number % 8 == 3 else red_jpeg for number in range(160)]
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(partial(predict, http), bodies))
    for body, answer in zip(bodies, answers, strict=True):
        assert answer.status_code == (415 if body is GIF else 200)
        assert next(iter(answer.json())) == ("error" if body is GIF else "red")
    assert figure(torchserve, "Pictures") - pictures == 160
    assert figure(torchserve, "Batches") - batches <= 40  # four or more answered together, on the average


def predict(http: httpx.Client, body: bytes) -> httpx.Response:
    return http.post("/predictions/tiny", content=body, headers={"Content-Type": "image/jpeg"})


def figure(torchserve: RunningTorchServe, name: str) -> float:
    """A counter as Prometheus would read it; 0 before it was first counted."""
    text = httpx.get(f"{torchserve.metrics_url}/metrics", timeout=30).text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name}{{"))


def test_prometheus_has_the_servers_and_the_handlers_figures(torchserve: RunningTorchServe, http: httpx.Client) -> None:
    http.post("/predictions/tiny", content=GIF, headers={"Content-Type": "image/jpeg"})
    text = httpx.get(f"{torchserve.metrics_url}/metrics", timeout=30).text
    for name in ("ts_inference_requests_total", "Requests2XX", "DecodeTime", "InferenceTime", "Pictures"):
        assert f"\n{name}{{" in text


def test_too_many_bytes_are_refused(http: httpx.Client) -> None:
    try:
        answer = http.post("/predictions/tiny", content=b"\xff" * 20_000_001)
    except (httpx.WriteError, httpx.RemoteProtocolError):
        return  # the server hung up on the rest, as it may
    assert answer.status_code == 413


def test_it_listens_on_loopback_alone(torchserve: RunningTorchServe) -> None:
    listening = [entry for entry in torchserve.process.net_connections() if entry.status == psutil.CONN_LISTEN]
    assert {entry.laddr.port for entry in listening} == set(range(torchserve.port, torchserve.port + 5))
    assert {entry.laddr.ip.removeprefix("::ffff:") for entry in listening} == {"127.0.0.1"}


def test_models_can_neither_be_registered_nor_removed(torchserve: RunningTorchServe) -> None:
    for method, path in [("POST", "/models?url=tiny.mar"), ("DELETE", "/models/tiny")]:
        answer = httpx.request(method, f"{torchserve.management_url}{path}", timeout=30)
        assert answer.status_code == 405


def test_it_recovers_from_a_killed_worker(torchserve: RunningTorchServe, http: httpx.Client, red_jpeg: bytes) -> None:
    victim = torchserve.worker()

    def send(number: int) -> int:
        if number == 40:
            victim.kill()
        return predict(http, red_jpeg).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(send, range(120)))  # a request that hangs fails here, by the client's timeout
    assert statuses[:32] == [200] * 32
    assert {status for status in statuses if status != 200} <= {503, 507}  # TorchServe's words for a dead worker
    assert statuses.count(200) >= 112  # at most the batch of eight that was in the worker is lost
    assert torchserve.worker().pid != victim.pid
    assert predict(http, red_jpeg).status_code == 200
