"""What /openapi.json says of the server, against what that does."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from serve.auth import Keys
from serve.config import ServeConfig
from serve.dataplane import DataPlane
from serve.health import Health
from serve.models.loader import Loader
from serve.models.registry import ModelRegistry
from serve.models.repository import open_repository
from serve.rest.app import create_app
from tests.commands import REPOSITORY, RunningServer
from tests.effort import times
from tests.serve.versions import add_version

KEY, TOKEN = "an-api-key-of-some-length", "an-admin-token-of-some-length"
SEED = 1
Document = dict[str, Any]


def write_key(folder: Path, key: str) -> Path:
    path = folder / f"{key}.txt"
    path.write_text(key)
    return path


def document_of(folder: Path, *, api: str | None = None, admin: str | None = None) -> Document:
    """As a server of no model yet gives it, with these keys."""
    config = ServeConfig(bundle=folder)
    dataplane = DataPlane(ModelRegistry(open_repository(config), Loader(config), Health()), config)
    app = create_app(dataplane, Keys(api=api, admin=admin))

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
            return await client.get("/openapi.json")

    document: Document = asyncio.run(get()).json()
    return document


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def answers(document: Document, operation: Document) -> Iterator[tuple[str, Document]]:
    """By status; some stand among the shared ones."""
    for status, answer in operation["responses"].items():
        shared = answer.get("$ref", "").rpartition("/")[2]
        yield status, document["components"]["responses"][shared] if shared else answer


def test_every_answer_and_every_body_has_an_example_that_fits_its_schema(tmp_path: Path) -> None:
    document = document_of(tmp_path, api=KEY, admin=TOKEN)

    def check(content: Document) -> None:
        (example,) = [content["example"]] if "example" in content else content["schema"]["examples"]
        jsonschema_rs.validate({**content["schema"], "components": document["components"]}, example)

    for _, operation in operations(document):
        asked = operation.get("requestBody", {"content": {}})
        for part in (asked, *(answer for _, answer in answers(document, operation))):
            if "application/json" in part["content"]:
                check(part["content"]["application/json"])


def test_every_error_has_the_form_of_its_route(tmp_path: Path) -> None:
    document = document_of(tmp_path, api=KEY, admin=TOKEN)
    for path, operation in operations(document):
        form = "ProtocolError" if path.startswith("/v2") else "ErrorBody"
        for status, answer in answers(document, operation):
            if status[0] == "4":
                assert answer["content"]["application/json"]["schema"] == {"$ref": f"#/components/schemas/{form}"}
    assert "HTTPValidationError" not in json.dumps(document)


@pytest.mark.parametrize(("api", "admin"), [(None, None), (KEY, None), (None, TOKEN), (KEY, TOKEN)])
def test_each_route_names_its_key_and_401_where_there_is_one(
    tmp_path: Path, api: str | None, admin: str | None
) -> None:
    found = dict(operations(document_of(tmp_path, api=api, admin=admin)))
    locks = {path: [name for way in entry.get("security", []) for name in way] for path, entry in found.items()}
    assert all(("401" in entry["responses"]) == bool(locks[path]) for path, entry in found.items())
    assert locks["/predict"] == (["ApiKey", "ApiKeyHeader"] if api else [])
    assert locks["/ping"] == []
    assert locks.get("/v2/repository/index") == (["AdminToken", "AdminTokenHeader"] if admin else None)


@pytest.fixture
def locked(bundle: Path, tmp_path: Path) -> Iterator[RunningServer]:
    """A server with an API key and an admin token, of two models, one of them with a canary."""
    folder = tmp_path / "models"
    for name, version in (("leaf", "one"), ("leaf", "two"), ("weld", "nine")):
        add_version(bundle, folder, name, version)
    (folder / "labels.json").write_text(json.dumps({"leaf": {"stable": "one", "canary": "two"}}))
    options = ("--api-key-file", str(write_key(tmp_path, KEY)), "--admin-token-file", str(write_key(tmp_path, TOKEN)))
    running = RunningServer(folder, *options, "--drain-ms", "0", option="--models")
    yield running
    assert running.stop() == (0, "")


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_schemathesis_finds_nothing(locked: RunningServer, tmp_path: Path) -> None:
    """Requests that the document allows and that it forbids, alone and one after another, with every check."""
    command = ["schemathesis.cli", "--config-file", str(Path(__file__).parent / "schemathesis.toml"), "run"]
    bounds = [
        "--url",
        locked.url,  # the document's own address is relative to where it is read, which is not resolved here
        "--checks",
        "all",
        "--seed",
        str(SEED),
        "--max-examples",
        str(times(100, 1000)),
        "--request-timeout",
        "20",
    ]
    result = subprocess.run(
        [sys.executable, "-m", *command, *bounds, "--no-color", f"{locked.url}/openapi.json"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "API_KEY": KEY, "ADMIN_TOKEN": TOKEN},
    )
    assert result.returncode == 0, (result.stdout + result.stderr).decode(errors="replace")
