"""Real parts, made small: a resnet18 trained for ten epochs, its true export, a real server."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch

from export.config import ExportConfig
from export.export import export
from export.fast.certify import certify
from runtime import Mode
from runtime.modes import is_here
from tests.commands import REPOSITORY, RunningServer, allow_interrupts
from tests.fast_bundle import copy_run, fast_config, write_evidence
from tests.pictures import TINTS, draw, encode, write_images
from training.config import TrainConfig
from training.train import train

allow_interrupts()
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def same_threads() -> Iterator[None]:
    """All trainings add up in the same order, however busy the machine is: weights are compared to the bit.

    Where several processes run the tests, they share the cores.
    """
    torch.set_num_threads(max(1, torch.get_num_threads() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
        yield


@pytest.fixture(scope="session", autouse=True)
def picture_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is found in pictures out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes, ten pictures each, no split."""
    return write_images(tmp_path_factory.mktemp("data") / "images", 10)


@pytest.fixture(scope="session")
def run_folder(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, with display names in Chinese."""
    names = images.parent / "names.json"
    names.write_text('{"blue": "蓝色", "grün": "绿色", "red": "红色"}', encoding="utf-8")
    config = TrainConfig(
        data=images,
        run="tiny",
        runs=tmp_path_factory.mktemp("runs"),
        arch="resnet18",
        weights="none",
        size=32,
        epochs=10,
        batch=8,
        names=names,
    )
    train(config)
    return config.folder


@pytest.fixture(scope="session")
def bundle(run_folder: Path) -> Path:
    """The true export of `run_folder`."""
    return export(ExportConfig(run=run_folder.name, runs=run_folder.parent))


@pytest.fixture(scope="session")
def fast_bundle(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run's bundle with an int8 graph and a certificate for it on the processor."""
    if not is_here(Mode("cpu", "int8")):
        pytest.skip("this processor has no int8 dot products")
    run = copy_run(bundle.parent, "fast")
    certify(fast_config(run, write_evidence(tmp_path_factory.mktemp("evidence") / "more")))
    return run / "bundle"


@pytest.fixture(scope="session")
def old_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that commit c614a0e exported, in manifest format 1; most of its weights are zero, so it packs well."""
    folder = tmp_path_factory.mktemp("old")
    shutil.unpack_archive(REPOSITORY / "tests" / "contract" / "bundle-c614a0e.zip", folder)
    return folder / "bundle"


@pytest.fixture(scope="session")
def server(bundle: Path) -> Iterator[RunningServer]:
    """A server of `bundle`, shared by the tests that leave it as it was."""
    running = RunningServer(bundle, "--drain-ms", "0")
    yield running
    running.stop()


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    """An HTTP client of `server`."""
    with httpx.Client(base_url=server.url, timeout=60) as http:
        yield http


@pytest.fixture(scope="session")
def red_jpeg() -> bytes:
    """A picture of the class red that no split holds."""
    return encode(draw((64, 48), TINTS["red"], seed=7))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images; a user's clone has none, and the tests that need them are skipped there."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no shared data here")
    return SHARED_DATA
