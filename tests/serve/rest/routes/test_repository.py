"""Versions loaded, tried beside each other and unloaded by who has the admin token, while requests come."""

import json
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import tritonclient.http as triton

from tests.commands import RunningServer
from tests.serve.administered import ADMIN, FEW, TOKEN, administer, administered, metric, until, version_of
from tests.serve.versions import add_version


@pytest.fixture
def folder(bundle: Path, tmp_path: Path) -> Path:
    """One model in one version."""
    folder = tmp_path / "models"
    add_version(bundle, folder, "leaf", "one")
    return folder


@pytest.fixture
def running(folder: Path) -> Iterator[RunningServer]:
    """A server of that folder, which can be administered."""
    yield from administered(folder)


@pytest.fixture(scope="module")
def unchanged(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Such a server, shared by the tests in which nothing may change."""
    folder = tmp_path_factory.mktemp("unchanged") / "models"
    add_version(bundle, folder, "leaf", "one")
    yield from administered(folder)


def test_who_has_no_token_is_401(unchanged: RunningServer) -> None:
    for headers in ({}, {"X-API-Key": "another-token-of-some-length"}):
        answer = httpx.post(f"{unchanged.url}/v2/repository/index", headers=headers)
        assert answer.status_code == 401
    assert httpx.get(f"{unchanged.url}/models").status_code == 200


def test_a_new_version_takes_the_place_of_the_old_one_and_no_request_is_lost(
    running: RunningServer, folder: Path, bundle: Path, red_jpeg: bytes
) -> None:
    answered, done = list[tuple[int, str]](), threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=running.url, timeout=60) as client:
            while not done.is_set():
                answer = client.post("/predict", content=red_jpeg)
                answered.append((answer.status_code, answer.json().get("version", "")))

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        until(lambda: len(answered) > 20)
        add_version(bundle, folder, "leaf", "two")
        running.process.send_signal(signal.SIGHUP)
        until(lambda: (200, "two") in answered or any(future.done() for future in asking))
        enough = len(answered) + 20
        until(lambda: len(answered) > enough)
        done.set()
    for future in asking:
        future.result()
    assert set(answered) == {(200, "one"), (200, "two")}
    metrics = httpx.get(f"{running.url}/metrics").text
    assert 'model_info{label="stable",model="leaf",version="two"}' in metrics
    assert not re.search(r'(waiting_images|model_info).*version="one"', metrics)


def test_a_version_that_does_not_prove_itself_is_refused_and_the_old_one_goes_on(
    running: RunningServer, folder: Path, bundle: Path, red_jpeg: bytes
) -> None:
    broken = add_version(bundle, folder, "leaf", "two")
    (broken / "model.onnx").write_bytes((broken / "model.onnx").read_bytes()[:-1])
    answer = administer(running, "models/leaf/load")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "models/leaf-two differs from the bundle that was exported: model.onnx is changed; export it again"
    }
    assert version_of(running, red_jpeg) == "one"
    assert not (folder / "labels.json").exists()
    running.process.send_signal(signal.SIGHUP)
    assert running.process.stderr is not None
    assert re.fullmatch(
        r"error: .*model.onnx is changed.*; the server continues with the models it had before\n",
        running.process.stderr.readline(),
    )
    assert version_of(running, red_jpeg) == "one"


def test_a_canary_is_tried_promoted_and_kept(
    running: RunningServer, folder: Path, bundle: Path, red_jpeg: bytes
) -> None:
    add_version(bundle, folder, "leaf", "two", other_way_round=True)
    entries = administer(running, "models/leaf/load", version="two", label="canary", mirror=1).json()
    assert [(entry["version"], entry["state"], entry["labels"]) for entry in entries] == [
        ("one", "READY", ["stable"]),
        ("two", "READY", ["canary"]),
    ]
    assert version_of(running, red_jpeg) == "one"
    different = r'mirrored_pictures_total\{model="leaf",result="different",version="two"\}'
    until(lambda: metric(running, different) == 1)
    assert metric(running, r'mirror_difference_count\{model="leaf",version="two"\}') == 1
    assert administer(running, "models/leaf/load", version="canary").status_code == 200
    assert version_of(running, red_jpeg) == "two"
    assert json.loads((folder / "labels.json").read_text())["leaf"] == {"stable": "two", "canary": None, "mirror": 0.0}
    states = [entry["state"] for entry in administer(running, "index").json()]
    assert states == ["UNAVAILABLE", "READY"]


def test_a_canary_that_agrees_counts_as_the_same(
    running: RunningServer, folder: Path, bundle: Path, red_jpeg: bytes
) -> None:
    add_version(bundle, folder, "leaf", "two")
    administer(running, "models/leaf/load", label="canary", mirror=1)
    files = [("file", red_jpeg), ("file", b"no picture"), ("file", red_jpeg)]
    assert httpx.post(f"{running.url}/predict", files=files).status_code == 200
    same = r'mirrored_pictures_total\{model="leaf",result="same",version="two"\}'
    until(lambda: metric(running, same) == 2)
    administer(running, "models/leaf/unload", label="canary")
    version_of(running, red_jpeg)
    assert metric(running, same) in {0, 2}  # until the canary has ended it may still be told
    assert [model["versions"] for model in httpx.get(f"{running.url}/models").json()] == [
        [{"version": "one", "labels": ["stable"]}]
    ]


@pytest.mark.slow
def test_a_load_does_not_wait_for_whoever_reads_what_the_server_says(folder: Path, bundle: Path) -> None:
    """The pipe is full after some 240 lines of what was loaded; here the access log fills it."""
    token = folder.parent / "token.txt"
    token.write_text(TOKEN)
    options = (*FEW, "--admin-token-file", str(token), "--drain-ms", "0", "--access-log")
    running = RunningServer(folder, *options, option="--models")
    with httpx.Client(base_url=running.url) as client:
        for _ in range(1000):
            assert client.get("/ping").status_code == 200
    add_version(bundle, folder, "leaf", "two")
    assert administer(running, "models/leaf/load", version="two").status_code == 200
    assert httpx.get(f"{running.url}/ping").status_code == 200
    running.process.terminate()
    assert running.process.wait(timeout=30) == 0
    running.process.communicate()


def test_a_model_is_unloaded_and_loaded_again(running: RunningServer, red_jpeg: bytes) -> None:
    assert administer(running, "models/leaf/unload", unload_dependents=True).status_code == 200
    gone = httpx.post(f"{running.url}/predict?model=leaf", content=red_jpeg)
    assert gone.status_code == 404
    unnamed = httpx.post(f"{running.url}/predict", content=red_jpeg)
    assert (unnamed.status_code, unnamed.json()["error"]["code"]) == (404, "model_not_found")
    assert httpx.get(f"{running.url}/ping").status_code == 200
    assert administer(running, "models/leaf/unload").status_code == 404
    assert administer(running, "models/other/load").status_code == 404
    assert administer(running, "models/leaf/load").status_code == 200
    assert version_of(running, red_jpeg) == "one"


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"version": "../../etc"}, 400),
        ({"version": "one", "label": "canary"}, 400),
        ({"label": "latest"}, 422),
        ({"mirror": 2, "label": "canary"}, 422),
        ({"mirror": 0.5}, 400),
        ({"config": "{}"}, 422),
    ],
)
def test_a_senseless_load_changes_nothing(
    unchanged: RunningServer, red_jpeg: bytes, parameters: dict[str, Any], status: int
) -> None:
    answer = administer(unchanged, "models/leaf/load", **parameters)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert version_of(unchanged, red_jpeg) == "one"


def test_tritons_own_client_loads_and_unloads(running: RunningServer) -> None:
    client = triton.InferenceServerClient(running.url.removeprefix("http://"))
    client.unload_model("leaf", headers=ADMIN)
    assert [entry["state"] for entry in client.get_model_repository_index(headers=ADMIN)] == ["UNAVAILABLE"]
    client.load_model("leaf", headers=ADMIN)
    assert client.is_model_ready("leaf")
    client.close()


def test_no_more_is_read_than_such_a_request_can_need(unchanged: RunningServer) -> None:
    def pieces() -> Iterator[bytes]:
        yield from [bytes(500_000)] * 3

    for content in (bytes(1_500_000), pieces()):
        answer = httpx.post(f"{unchanged.url}/v2/repository/index", content=content, headers=ADMIN)
        assert answer.status_code == 413
        assert "larger than 1 MB" in answer.json()["error"]


def test_a_server_of_no_model_yet_starts_and_ends(folder: Path) -> None:
    (folder / "labels.json").write_text('{"leaf": null}')
    server = RunningServer(folder, "--drain-ms", "0", option="--models")
    assert "No model is being served\n" in server.banner
    assert httpx.get(f"{server.url}/models").json() == []
    assert server.stop() == (0, "")
