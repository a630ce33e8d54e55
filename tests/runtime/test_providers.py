"""A provider that is asked for and not there stops the start, and says what would help."""

import sys
import types
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from runtime import Mode, ProviderError, Session, load_model, providers
from runtime.modes import is_here
from runtime.providers import PROVIDERS, check_in_use, find_provider

OPENVINO = "onnxruntime_ep_openvino"


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What was found of packages and plugins so far is forgotten, and again at the end."""
    caches = (providers._register, providers._is_installed)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def test_a_provider_that_did_not_load_is_an_error(bundle: Path) -> None:
    session = Session((bundle / "model.onnx").read_bytes())
    check_in_use(session.session, PROVIDERS["cpu"])
    with pytest.raises(
        ProviderError, match=r"CUDAExecutionProvider did not load .* would use CPUExecutionProvider instead"
    ):
        check_in_use(session.session, PROVIDERS["cuda"])


def test_tensorrt_names_what_to_install() -> None:
    with pytest.raises(ProviderError, match=r"provider tensorrt is not available .*serve-gpu\.txt and TensorRT"):
        find_provider("tensorrt")


@pytest.mark.usefixtures("forgotten")
def test_a_plugin_that_is_not_installed_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, OPENVINO, None)
    with pytest.raises(ProviderError, match=r"onnxruntime-ep-openvino\) is not installed"):
        find_provider("openvino")


@pytest.mark.usefixtures("forgotten")
def test_a_plugin_library_that_does_not_load_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library = tmp_path / "broken.so"
    library.write_bytes(b"not a library")
    package = types.ModuleType(OPENVINO)
    package.get_library_path = lambda: str(library)  # type: ignore[attr-defined]
    monkeypatch.setattr(onnxruntime, "get_ep_devices", list)
    monkeypatch.setitem(sys.modules, OPENVINO, package)
    with pytest.raises(ProviderError, match=r"library of .*onnxruntime-ep-openvino\) can't be loaded \(.*broken\.so"):
        find_provider("openvino")


def test_a_plugin_without_a_device_names_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(OPENVINO)
    with suppress(ProviderError):  # an AMD processor has none in truth
        find_provider("openvino")
    monkeypatch.setattr(onnxruntime, "get_ep_devices", list)
    with pytest.raises(ProviderError, match=r"openvino offers no device on this processor \(.+\); it needs an Intel"):
        find_provider("openvino")


@pytest.mark.usefixtures("forgotten")
def test_two_packages_of_onnxruntime_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "version", lambda package: "1.31.1")
    with pytest.raises(ProviderError, match=r"onnxruntime and onnxruntime-gpu are both installed.*pip uninstall"):
        find_provider("cpu")


@pytest.mark.skipif(not is_here(Mode("openvino")), reason="OpenVINO has no device here")
def test_openvino_computes_an_fp32_graph_in_fp32(bundle: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    expected = load_model(bundle).run(pixels)
    model = load_model(bundle, Mode("openvino"), threads=1)
    assert model.session.session.get_providers()[0] == "OpenVINOExecutionProvider"
    for actual, wanted in zip(model.run(pixels), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not is_here(Mode("openvino", "int8")), reason="OpenVINO has no int8 here")
def test_openvino_computes_an_int8_graph_as_the_processor_does(fast_bundle: Path) -> None:
    """Where the pooling is a Gather, as in bundles before format 5, it gives other answers; the gate refuses that."""
    graph = (fast_bundle / "model.int8.onnx").read_bytes()
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    one, other = (Session(graph, Mode(name, "int8")).run(pixels) for name in ("cpu", "openvino"))
    assert np.abs(one.probabilities - other.probabilities).max() < 0.1
