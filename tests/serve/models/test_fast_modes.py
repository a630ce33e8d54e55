"""A bundle with a certificate is served faster, and says so; without one, nothing but fp32 is served."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from contract import Manifest, preprocess
from contract.golden import GoldenError
from runtime import Mode, load_model
from serve.config import ServeConfig
from serve.models.loader import Loader
from serve.models.repository import Repository
from tests.commands import RunningServer, run_module
from tests.fast_bundle import needs_int8, render_differently
from tests.serve.versions import add_version

pytestmark = needs_int8


@pytest.fixture(scope="module")
def fast_server(fast_bundle: Path) -> Iterator[RunningServer]:
    running = RunningServer(fast_bundle, "--precision", "int8", "--drain-ms", "0")
    yield running
    running.stop()


def test_the_first_screen_says_the_mode_and_what_was_proven(fast_server: RunningServer) -> None:
    banner = "".join(fast_server.banner)
    assert "golden files agree on cpu int8 (largest difference" in banner
    assert re.search(
        r"Mode cpu int8; its certificate: at most \d\.\d\d points of accuracy lost \(95 % confidence, \d+ objects, "
        r"validation and agreement with fp32\)",
        banner,
    )


def test_answers_are_those_of_the_mode_to_the_last_digit(
    fast_server: RunningServer, fast_bundle: Path, red_jpeg: bytes
) -> None:
    pixels = preprocess(red_jpeg, Manifest.read(fast_bundle).image)
    answer = httpx.post(f"{fast_server.url}/predictions/tiny", content=red_jpeg).json()
    for mode, same in ((Mode("cpu", "int8"), True), (Mode(), False)):
        model = load_model(fast_bundle, mode, threads=1)
        expected = model.predictions(model.run(pixels[None]).probabilities[0], 3)
        assert (answer == {entry.label: entry.probability for entry in expected}) == same


def test_metrics_metadata_and_answers_name_the_mode(fast_server: RunningServer, red_jpeg: bytes) -> None:
    url = fast_server.url
    assert re.search(r'model_mode\{mode="cpu int8",model="tiny",version="\w+"\} 1\.0', httpx.get(f"{url}/metrics").text)
    parameters = httpx.get(f"{url}/v2/models/tiny/config").json()["parameters"]
    assert (parameters["provider"]["string_value"], parameters["precision"]["string_value"]) == ("cpu", "int8")
    assert int(parameters["threads"]["string_value"]) >= 1
    assert re.fullmatch(r"onnxruntime \d+\.\d+\.\d+", parameters["versions"]["string_value"])
    timing = httpx.post(f"{url}/predict", content=red_jpeg).headers["Server-Timing"]
    assert timing.endswith('mode;desc="cpu int8"')


def test_a_new_version_that_is_rendered_differently_in_the_mode_of_the_one_before_is_served_in_another(
    fast_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_version(fast_bundle, tmp_path, "leaf", "one")
    add_version(fast_bundle, tmp_path, "leaf", "two")
    found = Repository(tmp_path).scan()["leaf"]
    monkeypatch.setattr("runtime.tuning._speed", lambda model: 9.0 if model.session.mode.precision == "int8" else 1.0)
    loader = Loader(ServeConfig(models=tmp_path, runners=1, threads=1, max_batch=1))
    assert loader.load(found["one"]).mode == "cpu int8"
    render_differently(monkeypatch)
    assert loader.load(found["two"]).mode == "cpu fp32"
    assert "note: left out: " in capsys.readouterr().err
    only_int8 = Loader(ServeConfig(models=tmp_path, runners=1, threads=1, max_batch=1, precision="int8"))
    with pytest.raises(GoldenError, match="this machine renders the mode differently"):
        only_int8.load(found["two"])


def test_a_precision_without_a_certificate_is_one_line_and_exit_3(bundle: Path) -> None:
    result = run_module("serve", "--bundle", str(bundle), "--port", "0", "--precision", "int8")
    assert result.returncode == 3
    assert re.fullmatch(r"error: tiny has no certificate for cpu int8 .*\n", result.stderr)
