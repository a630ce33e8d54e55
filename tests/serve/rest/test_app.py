"""Every route, over real HTTP, against one server process."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from contract import Manifest, preprocess
from evaluation.predict.config import PredictConfig
from evaluation.predict.predict import predict
from runtime import load_model
from serve.rest.routes.predict import MANY
from tests.commands import RunningServer
from tests.pictures import TINTS, draw, encode
from tests.serve.rest.exchange import GIF, error_of, pictures


def test_predict_answers_for_a_form(client: httpx.Client, bundle: Path, red_jpeg: bytes) -> None:
    manifest = Manifest.read(bundle)
    answer = client.post("/predict", files=pictures(red_jpeg)).json()
    assert (answer["model"], answer["version"]) == ("tiny", manifest.version)
    best = answer["predictions"][0]
    assert (best["index"], best["label"], best["display_name"]) == (2, "red", "红色")
    assert len(answer["predictions"]) == 3
    assert sum(entry["probability"] for entry in answer["predictions"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "content_type", ["image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded", None]
)
def test_predict_answers_for_raw_bytes(client: httpx.Client, red_jpeg: bytes, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    raw = client.post("/predict", content=red_jpeg, headers=headers)
    assert raw.json() == client.post("/predict", files=pictures(red_jpeg)).json()


STAGES = re.compile(
    r"decode;dur=[\d.]+, queue;dur=[\d.]+, inference;dur=[\d.]+, total;dur=[\d.]+, batch;desc=\"1\", "
    'mode;desc="cpu fp32"'
)


def test_every_answer_says_where_its_time_went(client: httpx.Client, red_jpeg: bytes) -> None:
    for route in ("/predict", "/predictions/tiny"):
        assert STAGES.fullmatch(client.post(route, content=red_jpeg).headers["Server-Timing"])
    assert re.fullmatch(
        r"decode;dur=[\d.]+, total;dur=[\d.]+", client.post("/predict", content=b"").headers["Server-Timing"]
    )
    assert re.fullmatch(r"total;dur=[\d.]+", client.get("/ping").headers["Server-Timing"])


def test_predict_answers_for_a_chunked_body(client: httpx.Client, red_jpeg: bytes) -> None:
    def chunks() -> Iterator[bytes]:
        for start in range(0, len(red_jpeg), 100):
            yield red_jpeg[start : start + 100]

    assert client.post("/predict", content=chunks()).json()["predictions"][0]["label"] == "red"


def test_predict_gives_as_many_classes_as_asked(client: httpx.Client, red_jpeg: bytes) -> None:
    assert len(client.post("/predict?top_k=2", content=red_jpeg).json()["predictions"]) == 2
    assert len(client.post("/predict?top_k=1000", content=red_jpeg).json()["predictions"]) == 3


def test_many_named_classes_are_answered_in_the_same_form(client: httpx.Client, red_jpeg: bytes) -> None:
    def ask(top_k: int) -> tuple[str, Any]:
        answer = client.post(f"/predict?top_k={top_k}", files=pictures(red_jpeg, GIF, red_jpeg))
        return answer.headers["content-type"], answer.json()

    assert ask(1000) == ask(3)
    assert 3 * 1000 > MANY > 3 * 3


@pytest.mark.parametrize("top_k", ["0", "-1", "many", "1001"])
def test_predict_refuses_a_senseless_top_k(client: httpx.Client, red_jpeg: bytes, top_k: str) -> None:
    assert error_of(client.post(f"/predict?top_k={top_k}", content=red_jpeg)) == (422, "invalid_parameter")


def test_predict_answers_for_several_and_a_bad_one_fails_alone(client: httpx.Client, red_jpeg: bytes) -> None:
    blue = encode(draw((64, 48), TINTS["blue"], seed=8))
    answer = client.post("/predict?top_k=1", files=pictures(red_jpeg, GIF, blue, red_jpeg[:-200])).json()
    red, gif, second, cut = answer["results"]
    assert answer["model"] == "tiny"
    assert (red["predictions"][0]["label"], second["predictions"][0]["label"]) == ("red", "blue")
    assert (gif["error"]["code"], cut["error"]["code"]) == ("unsupported_type", "unreadable_image")
    assert red == client.post("/predict?top_k=1", content=red_jpeg).json()


def test_predict_says_where_the_model_looked_if_asked(client: httpx.Client, bundle: Path) -> None:
    wide = encode(draw((96, 48), TINTS["red"], seed=9))
    answer = client.post("/predict?activation_map=true", content=wide).json()
    rows = np.array(answer["activation_map"])
    assert rows.ndim == 2
    outputs = load_model(bundle).run(preprocess(wide, Manifest.read(bundle).image)[None])
    np.testing.assert_allclose(rows, outputs.activation_map[0, 2], rtol=1e-4, atol=1e-4)
    view = answer["view"]
    assert (view["left"] + view["right"], view["top"] + view["bottom"]) == pytest.approx((1, 1))
    assert (view["right"] - view["left"]) * 2 == pytest.approx(view["bottom"] - view["top"])
    assert set(client.post("/predict", content=wide).json()) == {"model", "version", "predictions"}


def test_annotate_gives_the_picture_that_the_command_line_draws(
    client: httpx.Client, bundle: Path, red_jpeg: bytes, tmp_path: Path
) -> None:
    (tmp_path / "red.jpg").write_bytes(red_jpeg)
    predict(PredictConfig(bundle=bundle, image=(str(tmp_path / "red.jpg"),), out=tmp_path / "result.jpg"))
    drawn = client.post("/annotate", content=red_jpeg)
    assert drawn.headers["Content-Type"] == "image/jpeg"
    assert drawn.content == (tmp_path / "result.jpg").read_bytes()
    assert error_of(client.post("/annotate", content=GIF)) == (415, "unsupported_type")


def test_torchserves_route_gives_its_answer(client: httpx.Client, red_jpeg: bytes) -> None:
    ours = client.post("/predict", content=red_jpeg).json()["predictions"]
    expected = {entry["label"]: entry["probability"] for entry in ours}
    for response in (
        client.post("/predictions/tiny", content=red_jpeg),
        client.post("/predictions/tiny", files={"data": red_jpeg}),
    ):
        assert response.json() == expected
        assert list(response.json()) == list(expected)


def test_torchserves_route_knows_one_model_and_one_picture(client: httpx.Client, red_jpeg: bytes) -> None:
    assert error_of(client.post("/predictions/other", content=red_jpeg)) == (404, "model_not_found")
    assert error_of(client.post("/predictions/tiny", files=pictures(red_jpeg, red_jpeg))) == (422, "too_many_files")


def test_ping_is_torchserves(client: httpx.Client) -> None:
    assert client.get("/ping").json() == {"status": "Healthy"}


@pytest.mark.parametrize(("method", "path", "expected"), [("GET", "/nowhere", 404), ("GET", "/predict", 405)])
def test_unknown_routes_answer_in_the_error_form(client: httpx.Client, method: str, path: str, expected: int) -> None:
    assert error_of(client.request(method, path))[0] == expected


def test_metrics_count_answers_by_route(client: httpx.Client, red_jpeg: bytes) -> None:
    def count() -> float:
        found = re.search(r'requests_total\{route="/predict",status="200"\} (\S+)', client.get("/metrics").text)
        return float(found[1]) if found else 0

    before = count()
    client.post("/predict", content=red_jpeg)
    assert count() == before + 1
    text = client.get("/metrics").text
    assert 'model_info{label="stable",model="tiny"' in text
    assert all(
        re.search(f'stage_seconds_count.*model="tiny",stage="{stage}"', text)
        for stage in ("decode", "queue", "inference", "total")
    )


def test_metrics_do_not_grow_with_unknown_paths(client: httpx.Client) -> None:
    client.get("/one")
    before = len(client.get("/metrics").text.splitlines())
    for number in range(20):
        client.get(f"/scan/{number}")
    assert len(client.get("/metrics").text.splitlines()) == before


def test_docs_describe_every_route(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    model = {"", "/ready", "/config", "/stats", "/infer"}
    versions = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
    models = {"/models", "/predictions/{model}", "/predictions/{model}/{version}", "/v1/models/{model}:predict"}
    v2 = {"/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats", *(v + m for v in versions for m in model)}
    assert set(paths) == {"/predict", "/annotate", "/ping", "/metrics", *models, *v2}
    assert {"200", "400", "413", "415", "422", "429", "504"} <= set(paths["/predict"]["post"]["responses"])
    assert "multipart/form-data" in paths["/predict"]["post"]["requestBody"]["content"]


def test_docs_need_no_other_host(client: httpx.Client) -> None:
    links = re.findall(r'(?:src|href)="([^"]+)"', client.get("/docs").text)
    assert len(links) >= 2
    assert all(link.startswith("swagger/") and client.get(f"/{link}").status_code == 200 for link in links)


def test_a_file_of_the_page_is_whole_and_need_not_be_sent_again(client: httpx.Client) -> None:
    whole = (files("fastapi_swagger") / "resources" / "swagger-ui-bundle.js").read_bytes()
    first = client.get("/swagger/swagger-ui-bundle.js")
    assert first.content == whole
    assert first.headers["Content-Type"].startswith("text/javascript")
    known = {"If-None-Match": first.headers["ETag"]}
    again = client.get("/swagger/swagger-ui-bundle.js", headers=known)
    head = client.head("/swagger/swagger-ui-bundle.js")
    assert (again.status_code, again.content) == (304, b"")
    assert (head.headers["Content-Length"], head.content) == (str(len(whole)), b"")
    assert client.get("/swagger/nothing.js").status_code == 404


def test_forty_clients_at_once_are_all_answered(server: RunningServer, red_jpeg: bytes) -> None:
    def ask(number: int) -> str:
        tint = list(TINTS)[number % 3]
        data = encode(draw((64, 48), TINTS[tint], seed=number))
        answer = httpx.post(f"{server.url}/predict", files={"file": data}, timeout=60).json()
        return f"{tint} {answer['predictions'][0]['label']}"

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(ask, range(40)))
    assert sum(answer.split()[0] == answer.split()[1] for answer in answers) >= 36


def test_the_same_picture_gets_the_same_answer_after_everything_above(client: httpx.Client, red_jpeg: bytes) -> None:
    first = client.post("/predict", content=red_jpeg).json()
    assert first == client.post("/predict", content=red_jpeg).json()
