"""KServe's V1 protocol."""

import base64
from typing import Any

import httpx
import pytest

from tests.pictures import TINTS, draw, encode


def encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def ask(client: httpx.Client, body: Any, model: str = "tiny") -> httpx.Response:
    return client.post(f"/v1/models/{model}:predict", json=body)


def test_each_instance_is_answered(client: httpx.Client, red_jpeg: bytes) -> None:
    blue = encoded(encode(draw((64, 48), TINTS["blue"], seed=1)))
    instances = [encoded(red_jpeg), {"b64": blue}, {"data": blue}, {"image_bytes": {"b64": encoded(red_jpeg)}}]
    predictions = ask(client, {"instances": instances}).json()["predictions"]
    assert [next(iter(best)) for best in predictions] == ["red", "blue", "blue", "red"]
    assert predictions[0] == client.post("/predictions/tiny", content=red_jpeg).json()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ([], 400, "malformed_request"),
        ({"instances": []}, 422, "missing_file"),
        ({"instances": {}}, 422, "missing_file"),
        ({"instances": [3]}, 422, "missing_file"),
        ({"instances": [{"a": "", "c": ""}]}, 422, "missing_file"),
        ({"instances": ["no base64!"]}, 400, "malformed_base64"),
        ({"instances": ["R0lGODlh"]}, 415, "unsupported_type"),
        ({"instances": [""] * 65}, 422, "too_many_files"),
    ],
)
def test_what_is_no_picture_is_told_so(client: httpx.Client, body: Any, status: int, code: str) -> None:
    answer = ask(client, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_an_unknown_model_is_404(client: httpx.Client, red_jpeg: bytes) -> None:
    assert ask(client, {"instances": [encoded(red_jpeg)]}, "other").status_code == 404
