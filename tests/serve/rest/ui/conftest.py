"""A real Chromium: Debian's chromium and chromium-driver, or the tests are skipped."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.commands import RunningServer
from tests.pictures import TINTS, draw, encode
from tests.serve.rest.ui.browser import KEY
from tests.serve.versions import add_version


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no chromium and chromedriver here")
    options = ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path_factory.mktemp("downloads"))})
    running = Chrome(options, ChromeService(driver))
    yield running
    running.quit()


@pytest.fixture
def page(chromium: Chrome, server: RunningServer) -> Chrome:
    chromium.set_window_size(1200, 900)
    chromium.get(f"{server.url}/")
    return chromium


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two good pictures and one that is none."""
    for number, tint in enumerate(("red", "blue")):
        (tmp_path / f"{tint}.jpg").write_bytes(encode(draw((96, 64), TINTS[tint], seed=number)))
    (tmp_path / "notes.jpg").write_bytes(b"%PDF-1.7")
    return [tmp_path / name for name in ("red.jpg", "notes.jpg", "blue.jpg")]


@pytest.fixture(scope="session")
def several(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a key, of two models, one of them with a canary that answers differently."""
    folder = tmp_path_factory.mktemp("several")
    models, key = folder / "models", folder / "key.txt"
    key.write_text(KEY)
    add_version(bundle, models, "leaf", "one")
    add_version(bundle, models, "leaf", "two", other_way_round=True)
    add_version(bundle, models, "weld", "nine")
    (models / "labels.json").write_text(json.dumps({"leaf": {"stable": "one", "canary": "two"}}))
    running = RunningServer(models, "--api-key-file", str(key), "--drain-ms", "0", option="--models")
    yield running
    running.stop()
