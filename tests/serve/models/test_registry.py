"""Several models and versions in one server: found, exchanged under load, tried out beside each other."""

import asyncio
import errno
import gc
import json
import os
import re
import shutil
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray

from contract import ManifestError
from contract.graph import Outputs
from contract.manifest import MANIFEST_FILE, sha256_of
from runtime import Session
from serve.config import ServeConfig
from serve.health import Health
from serve.models.loader import Loader
from serve.models.repository import Labels, Repository
from serve.observability.timing import Timing
from tests.commands import RunningServer, run_module
from tests.serve.versions import add_version, open_models

TOKEN = "an-admin-token-of-some-length"
# One way of running is measured in place of two.
FEW = ("--runners", "1", "--threads", "1")
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


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


def administered(folder: Path) -> Iterator[RunningServer]:
    token = folder.parent / "token.txt"
    token.write_text(TOKEN)
    server = RunningServer(folder, *FEW, "--admin-token-file", str(token), "--drain-ms", "0", option="--models")
    yield server
    assert server.stop()[0] == 0


@pytest.fixture(scope="module")
def two(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of two models, one of them with a canary."""
    folder = tmp_path_factory.mktemp("models")
    add_version(bundle, folder, "leaf", "one")
    add_version(bundle, folder, "leaf", "two", other_way_round=True)
    add_version(bundle, folder, "weld", "nine")
    labels = {"leaf": {"stable": "one", "canary": "two"}}
    (folder / "labels.json").write_text(json.dumps(labels))
    server = RunningServer(folder, "--drain-ms", "0", option="--models")
    yield server
    assert server.stop() == (0, "")


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


def test_a_model_is_asked_by_its_name_and_a_version_by_its_number_or_label(two: RunningServer, red_jpeg: bytes) -> None:
    def ask(path: str) -> tuple[str, str, str]:
        answer = httpx.post(f"{two.url}{path}", content=red_jpeg).json()
        return answer["model"], answer["version"], answer["predictions"][0]["label"]

    assert ask("/predict?model=weld") == ("weld", "nine", "red")
    assert ask("/predict?model=leaf") == ask("/predict?model=leaf&version=stable") == ("leaf", "one", "red")
    assert (
        ask("/predict?model=leaf&version=canary") == ask("/predict?model=leaf&version=two") == ("leaf", "two", "blue")
    )
    best = httpx.post(f"{two.url}/predictions/leaf/two", content=red_jpeg).json()
    assert next(iter(best)) == "blue"
    assert httpx.get(f"{two.url}/v2/models/leaf").json()["versions"] == ["one", "two"]
    assert httpx.get(f"{two.url}/v2/models/leaf/versions/canary/stats").json()["model_stats"][0]["version"] == "two"


def test_a_request_that_does_not_say_which_model_is_told_to(two: RunningServer, red_jpeg: bytes) -> None:
    answer = httpx.post(f"{two.url}/predict", content=red_jpeg)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "missing_model")
    assert "leaf, weld" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/predict?model=x", "/predict?model=leaf&version=x", "/predictions/weld/canary"])
def test_a_model_or_version_that_is_not_there_is_404(two: RunningServer, red_jpeg: bytes, path: str) -> None:
    answer = httpx.post(f"{two.url}{path}", content=red_jpeg)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def test_everybody_may_see_which_models_there_are(two: RunningServer) -> None:
    assert httpx.get(f"{two.url}/models").json() == [
        {
            "name": "leaf",
            "versions": [{"version": "one", "labels": ["stable"]}, {"version": "two", "labels": ["canary"]}],
        },
        {"name": "weld", "versions": [{"version": "nine", "labels": ["stable"]}]},
    ]
    assert "Serving leaf: stable one, canary two\n" in two.banner


def test_metrics_tell_the_models_apart(two: RunningServer, red_jpeg: bytes) -> None:
    pattern = r'stage_seconds_count\{model="weld",stage="inference",version="nine"\}'
    before = metric(two, pattern)
    httpx.post(f"{two.url}/predict?model=weld", content=red_jpeg)
    httpx.post(f"{two.url}/predict?model=leaf", content=red_jpeg)
    assert metric(two, pattern) == before + 1
    assert metric(two, r'model_info\{label="canary",model="leaf",version="two"\}') == 1


def test_without_a_token_nobody_may_change_what_is_served(two: RunningServer) -> None:
    assert administer(two, "models/leaf/unload").status_code == 404
    assert "model_repository" not in httpx.get(f"{two.url}/v2").json()["extensions"]


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


def test_a_folder_that_can_not_be_written_keeps_what_is_served(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version(bundle, tmp_path, "leaf", "one")

    def read_only(*_: object) -> None:  # root may write everywhere
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("serve.models.repository.write_text_atomically", read_only)

    async def scenario() -> None:
        models = open_models(tmp_path)
        with pytest.raises(Exception, match=r"labels.json can't be written .*; nothing was changed"):
            await models.reload(lambda _: {"leaf": None})
        assert list(models.table) == ["leaf"]
        await models.stop(0)

    asyncio.run(scenario())


def test_a_version_that_has_been_replaced_answers_those_who_came_before_and_is_then_forgotten(
    bundle: Path, tmp_path: Path, red_jpeg: bytes
) -> None:
    add_version(bundle, tmp_path, "leaf", "one")

    async def scenario() -> None:
        models = open_models(tmp_path)
        old = models.find("leaf")
        old.acquire()  # a request that has come
        add_version(bundle, tmp_path, "leaf", "two")
        await models.reload()
        assert models.find("leaf").id.version == "two"
        results = await old.run_files([red_jpeg], float("inf"), Timing())
        assert isinstance(results[0], Outputs)
        session = weakref.ref(old.model.session)
        old.release()
        del old, results
        async with asyncio.timeout(30):
            while session() is not None:
                await asyncio.sleep(0)
        await models.stop(0)

    gc.disable()  # it is the server that must see to it
    try:
        asyncio.run(scenario())
    finally:
        gc.enable()


def test_the_same_bundle_is_not_loaded_again(bundle: Path, tmp_path: Path) -> None:
    add_version(bundle, tmp_path, "leaf", "one")

    async def scenario() -> None:
        models = open_models(tmp_path)
        before = models.find("leaf")
        await models.reload()
        assert models.find("leaf") is before
        await models.stop(0)

    asyncio.run(scenario())


@pytest.mark.parametrize("label", ["stable", "canary"])
def test_a_version_that_breaks_once_it_is_retired_does_not_end_the_server(
    label: str,
    bundle: Path,
    tmp_path: Path,
    red_jpeg: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_version(bundle, tmp_path, "leaf", "one")
    add_version(bundle, tmp_path, "leaf", "two")

    async def scenario() -> None:
        health = Health()
        models = open_models(tmp_path, health)
        await models.reload(lambda _: {"leaf": Labels(stable="one", canary="two")})
        retired = models.find("leaf", label)
        retired.acquire()  # a request that has found it
        await models.reload(lambda _: {"leaf": Labels(stable="one" if label == "canary" else "two")})
        broken, honest = retired.model.session, Session.run

        def crash(self: Session, images_nhwc: NDArray[np.uint8]) -> Outputs:
            if self is broken:
                raise RuntimeError("device lost")
            return honest(self, images_nhwc)

        monkeypatch.setattr(Session, "run", crash)
        with pytest.raises(RuntimeError, match="device lost"):
            await retired.run_files([red_jpeg], float("inf"), Timing())
        async with asyncio.timeout(30):
            while "of leaf has failed and is no longer served; the others" not in capsys.readouterr().err:
                await asyncio.sleep(0)
        retired.release()
        assert isinstance((await models.find("leaf").run_files([red_jpeg], float("inf"), Timing()))[0], Outputs)
        assert health.ready
        await models.stop(0)

    asyncio.run(scenario())


def test_a_bundle_that_is_replaced_while_it_is_loaded_is_not_served_as_the_one_that_was_found(
    bundle: Path, tmp_path: Path
) -> None:
    folder = add_version(bundle, tmp_path, "leaf", "one")
    entry = Repository(tmp_path).scan()["leaf"]["one"]
    shutil.rmtree(folder)
    add_version(bundle, tmp_path, "leaf", "two").rename(folder)
    half_looked_at = replace(entry, fingerprint=sha256_of(folder / MANIFEST_FILE))
    loader = Loader(ServeConfig(models=tmp_path, runners=1, threads=1))
    for known in (entry, half_looked_at):
        with pytest.raises(ManifestError, match=r"leaf-one changed while it was loaded; .* load it again"):
            loader.load(known)


def test_a_canary_whose_session_breaks_is_dropped_and_the_stable_one_goes_on(
    bundle: Path, tmp_path: Path, red_jpeg: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_version(bundle, tmp_path, "leaf", "one")
    add_version(bundle, tmp_path, "leaf", "two")

    async def scenario() -> None:
        health = Health()
        models = open_models(tmp_path, health)
        await models.reload(lambda _: {"leaf": Labels(stable="one", canary="two", mirror=1)})
        broken = models.find("leaf", "canary").model.session
        honest = Session.run

        def crash(self: Session, images_nhwc: NDArray[np.uint8]) -> Outputs:
            if self is broken:
                raise RuntimeError("device lost")
            return honest(self, images_nhwc)

        monkeypatch.setattr(Session, "run", crash)
        stable = models.find("leaf")
        assert isinstance((await stable.run_files([red_jpeg], float("inf"), Timing()))[0], Outputs)
        async with asyncio.timeout(30):
            while "leaf" in models.table and models.table["leaf"].canary:
                await asyncio.sleep(0)
        assert isinstance((await stable.run_files([red_jpeg], float("inf"), Timing()))[0], Outputs)
        assert health.ready
        await models.stop(0)

    asyncio.run(scenario())
    assert "the canary (version two of leaf) is removed" in capsys.readouterr().err


def test_the_folder_must_make_sense_at_start(bundle: Path, tmp_path: Path) -> None:
    add_version(bundle, tmp_path, "leaf", "one")
    (tmp_path / "labels.json").write_text('{"leaf": {"stable": "two"}}')
    refused = run_module("serve", "--models", str(tmp_path), "--port", "0")
    assert refused.returncode == 3
    assert refused.stderr == "error: leaf has no version two to use as stable; available versions: one\n"
    neither = run_module("serve", "--port", "0")
    assert (neither.returncode, neither.stderr) == (2, "error: expected either --bundle or --models\n")


def test_a_bundle_that_is_exported_anew_in_its_place_is_taken_on_sighup(
    bundle: Path, tmp_path: Path, red_jpeg: bytes
) -> None:
    path = add_version(bundle, tmp_path, "leaf", "one")
    server = RunningServer(path, "--drain-ms", "0")
    newer = add_version(bundle, tmp_path, "leaf", "two")
    shutil.rmtree(path)
    os.rename(newer, path)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: version_of(server, red_jpeg) == "two")
    assert server.stop() == (0, "")


def test_tritons_own_client_loads_and_unloads(running: RunningServer) -> None:
    client = triton.InferenceServerClient(running.url.removeprefix("http://"))
    client.unload_model("leaf", headers=ADMIN)
    assert [entry["state"] for entry in client.get_model_repository_index(headers=ADMIN)] == ["UNAVAILABLE"]
    client.load_model("leaf", headers=ADMIN)
    assert client.is_model_ready("leaf")
    client.close()


def test_a_server_of_no_model_yet_starts_and_ends(folder: Path) -> None:
    (folder / "labels.json").write_text('{"leaf": null}')
    server = RunningServer(folder, "--drain-ms", "0", option="--models")
    assert "No model is being served\n" in server.banner
    assert httpx.get(f"{server.url}/models").json() == []
    assert server.stop() == (0, "")
