"""Several models and versions in one server, asked by name."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.commands import RunningServer
from tests.serve.administered import administer, metric
from tests.serve.versions import add_version


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
