"""TorchServe started and stopped: by the words of its page, with a model that disagrees, with a second version."""

import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.targets.servers import TORCHSERVE_PORTS, free_ports
from contract import Manifest
from export.archive import ArchiveConfig, archive
from handlers.launcher.config import SETTINGS, Start
from tests.commands import REPOSITORY
from tests.torchserve import RunningTorchServe, wait_until

pytestmark = pytest.mark.slow


def test_a_model_that_disagrees_does_not_start(bundle: Path, tmp_path: Path) -> None:
    """The archive is whole but the machine decodes differently, as another Pillow might."""
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    manifest = Manifest.read(copy)
    replace(manifest, image=replace(manifest.image, resize=manifest.image.resize * 2)).write(copy)
    archive(ArchiveConfig(bundle=copy, store=tmp_path / "store"))
    with pytest.raises(
        AssertionError, match=r"error: the logits for golden/\d+.jpg differ .* the image is decoded to other pixels"
    ):
        RunningTorchServe(tmp_path / "store", "tiny", tmp_path / "ts")
    assert not [process for process in psutil.process_iter() if str(tmp_path) in " ".join(cmdline(process))]


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_the_literal_commands_of_the_docs_work(bundle: Path, tmp_path: Path, red_jpeg: bytes) -> None:
    """As they stand there, with other ports in the file that they name."""
    page = (REPOSITORY / "docs" / "torchserve.md").read_text(encoding="utf-8")
    commands = re.findall(r"^(?:export JAVA_HOME=|torchserve --st).*$", page, flags=re.MULTILINE)
    assert [command.split()[:2] for command in commands[1:]] == [["torchserve", "--start"], ["torchserve", "--stop"]]
    archive(ArchiveConfig(bundle=bundle, store=tmp_path / "model_archive")).rename(
        tmp_path / "model_archive/sample.mar"
    )
    (tmp_path / "handlers").mkdir()
    port = free_ports(TORCHSERVE_PORTS)
    changes = "".join(f"{name}={value}\n" for name, value in Start(name="sample", port=port).properties.items())
    (tmp_path / "handlers/config.properties").write_text(SETTINGS.read_text() + changes)
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    run = partial(subprocess.run, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=60)
    run(["bash", "-c", "\n".join(commands[:2])])
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        try:
            wait_until(lambda: answers(http, red_jpeg))
        finally:
            processes = family_of(tmp_path)
            run(["bash", "-c", commands[2]])
    assert psutil.wait_procs(processes, timeout=60)[1] == []


def answers(http: httpx.Client, picture: bytes) -> bool:
    try:
        answer = http.post("/predictions/sample", content=picture, headers={"Content-Type": "image/jpeg"})
    except httpx.ConnectError:
        return False
    return answer.status_code == 200 and next(iter(answer.json())) == "red"


def family_of(folder: Path) -> list[psutil.Process]:
    process = psutil.Process(int((folder / ".model_server.pid").read_text()))
    return [process, *process.children(recursive=True)]


def test_a_second_version_takes_over_and_no_request_is_lost(bundle: Path, tmp_path: Path, red_jpeg: bytes) -> None:
    """The recipe of docs/torchserve.md, with requests running all the time."""
    store = tmp_path / "store"
    archive(ArchiveConfig(bundle=bundle, store=store))
    running = RunningTorchServe(store, "tiny", tmp_path, "--management")
    assert (tmp_path / "key_file.json").stat().st_mode & 0o077 == 0
    try:
        first, second = running.describe()["modelVersion"], "second"
        copy = shutil.copytree(bundle, tmp_path / "bundle")
        replace(Manifest.read(copy), version=second).write(copy)
        archive(ArchiveConfig(bundle=copy, store=store))
        with KeptBusy(running, red_jpeg) as busy:
            manage(running, "POST", "/models?url=tiny.mar&initial_workers=1&synchronous=true")
            assert busy.another(50)
            manage(running, "PUT", f"/models/tiny/{second}/set-default")
            assert busy.another(50)
            manage(running, "DELETE", f"/models/tiny/{first}")
            assert busy.another(50)
        assert set(busy.statuses) == {200}
        assert running.describe()["modelVersion"] == second
    finally:
        assert running.stop() == []


def manage(running: RunningTorchServe, method: str, path: str) -> None:
    refused = httpx.request(method, f"{running.management_url}{path}", timeout=120)
    assert refused.status_code == 400  # without the key
    done = httpx.request(method, f"{running.management_url}{path}", headers=running.key("management"), timeout=120)
    assert done.status_code == 200, done.text


class KeptBusy:
    """Four clients that ask again and again; keeps every status they get."""

    def __init__(self, running: RunningTorchServe, picture: bytes) -> None:
        headers = {"Content-Type": "image/jpeg", **running.key("inference")}
        self.http = httpx.Client(base_url=running.url, timeout=60, headers=headers)
        self.picture, self.statuses, self.done = picture, list[int](), threading.Event()
        self.clients = [threading.Thread(target=self._ask) for _ in range(4)]

    def _ask(self) -> None:
        while not self.done.is_set():
            self.statuses.append(self.http.post("/predictions/tiny", content=self.picture).status_code)

    def another(self, count: int) -> bool:
        """Wait for so many more answers."""
        wanted = len(self.statuses) + count
        wait_until(lambda: len(self.statuses) >= wanted)
        return True

    def __enter__(self) -> "KeptBusy":
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        for client in self.clients:
            client.join()
        self.http.close()
