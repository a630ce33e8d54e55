"""The table of what is served: exchanged without losing a request, whatever breaks."""

import asyncio
import errno
import gc
import os
import shutil
import signal
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
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
from tests.serve.administered import until, version_of
from tests.serve.versions import add_version, open_models


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
