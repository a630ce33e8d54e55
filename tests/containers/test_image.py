"""The image `serve`, built and run as users do: what it answers, what it may, and how it ends."""

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.commands import RunningServer
from tests.containers.engine import IMAGE, STAND_IN, Container, container, engine, mount, run

pytestmark = [pytest.mark.container, pytest.mark.timeout(900)]
PUBLIC = "python:3.11-slim-bookworm"
MOST_MB = 320
"""What the image may add to its base."""


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base image that BASE names, or the public one; without Docker, one that root makes of Debian packages."""
    if named := os.environ.get("BASE"):
        return named
    if engine() == ("docker",):
        assert run("docker", "pull", PUBLIC).returncode == 0
        return PUBLIC
    if os.geteuid() or not shutil.which("mmdebstrap"):
        pytest.skip("set BASE to a base image that is here; one can be made by root alone, with mmdebstrap")
    folder = tmp_path_factory.mktemp("base")
    packages = "--include=python3,python3-venv,ca-certificates"
    made = run("mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", str(folder / "base.tar"))
    assert made.returncode == 0, made.stderr
    (folder / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
    built = run("buildah", "build", "--isolation=chroot", "-t", STAND_IN, str(folder))
    assert built.returncode == 0, built.stderr
    return f"localhost/{STAND_IN}"


@pytest.fixture(scope="session", autouse=True)
def image(base: str) -> None:
    """Built by make."""
    if not engine():
        pytest.skip("neither docker nor, for root, podman with runc runs containers here")
    # As root may without an engine; where a proxy signs for the registry, its certificate is known here.
    chroot = "--isolation=chroot --volume=/etc/ssl/certs:/etc/ssl/certs:ro"
    variables = {} if engine() == ("docker",) else {"BUILDER": "buildah", "BUILD_OPTIONS": chroot}
    built = run("make", "image", "TARGET=serve", f"BASE={base}", variables=variables)
    assert built.returncode == 0, built.stderr


@pytest.fixture(scope="session")
def readable(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that every user may read."""
    folder = Path(shutil.copytree(bundle, tmp_path_factory.mktemp("mounted") / "bundle"))
    let_read(folder)
    return folder


def let_read(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)


@pytest.fixture(scope="module")
def running(readable: Path) -> Iterator[Container]:
    with container(mount(readable), "--cpus=1", "--memory=1g") as made:
        made.wait_ready()
        yield made


def test_it_answers_as_the_same_bundle_does_on_this_machine(
    running: Container, readable: Path, red_jpeg: bytes
) -> None:
    here = RunningServer(readable, "--drain-ms", "0")
    answers = [httpx.post(f"{url}/predict", content=red_jpeg).json() for url in (running.url, here.url)]
    assert here.stop() == (0, "")
    assert answers[0] == answers[1]


def test_it_has_no_rights_and_may_write_only_what_is_given(running: Container) -> None:
    status = running.execute("cat", "/proc/1/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["10001"] * 4
    assert [int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")] == [0, 0, 0]
    assert fields["NoNewPrivs"] == "1"
    for place in ("/app/x", "/opt/x", "/bundle/x", "/x"):
        assert "Read-only file system" in running.execute("touch", place).stderr
    assert "Could not save the measurement (Read-only file system: /cache/" in running.output


def test_it_keeps_within_the_containers_processor_and_memory(running: Container) -> None:
    assert " on 1 threads: " in running.output
    with container("--memory=400m", *running_mounts(running)) as small:
        small.wait_ready()
        assert "MB of memory, as this container may take 419 in all" in small.output


def running_mounts(running: Container) -> list[str]:
    mounts = json.loads(run(*engine(), "inspect", running.id).stdout)[0]["Mounts"]
    return [mount(Path(it["Source"]), it["Destination"]) for it in mounts if it["Destination"] == "/bundle"]


def test_it_says_whether_it_is_healthy(running: Container) -> None:
    assert running.execute("python3", "/opt/is_healthy.py").returncode == 0
    assert running.execute("env", "PORT=1", "python3", "/opt/is_healthy.py").returncode == 1


def test_it_is_small_and_holds_no_compiler_no_pip_and_no_secret(running: Container, base: str) -> None:
    sizes = [int(run(*engine(), "inspect", "--format={{.Size}}", name).stdout) for name in (IMAGE, base)]
    assert (sizes[0] - sizes[1]) / 1e6 <= MOST_MB
    for name in ("pip", "torch"):
        assert "No module named" in running.execute("python3", "-m", name).stderr
    assert running.execute("sh", "-c", "command -v gcc || command -v cc").returncode != 0
    assert running.execute("find", "/etc/pip.conf", "/root/.cache", "/app/data", "/app/runs").stdout == ""
    history = run(*engine(), "history", "--no-trunc", "--format={{.CreatedBy}}", IMAGE).stdout
    assert "install-packages" not in history, "the stage with pip stays behind"


def test_it_is_labelled_and_stops_as_it_should() -> None:
    found = json.loads(run(*engine(), "inspect", IMAGE).stdout)[0]
    config = found["Config"]
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert config["Labels"]["org.opencontainers.image.revision"] != "unknown"
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert (found.get("Healthcheck") or config["Healthcheck"])["Test"][0] == "CMD"


def test_on_stop_everyone_who_was_let_in_is_answered(readable: Path, red_jpeg: bytes) -> None:
    answers = list[tuple[int, str]]()
    with container(mount(readable), arguments=("--drain-ms", "500")) as made, ThreadPoolExecutor(4) as pool:
        made.wait_ready()
        clients = [pool.submit(ask_until_gone, made.url, red_jpeg, answers) for _ in range(4)]
        while len(answers) < 20:
            assert not any(client.done() for client in clients)
        made.signal("SIGTERM")
        assert made.end() == 0
        for client in clients:
            client.result()
    assert {(status, label) for status, label in answers} == {(200, "red")}


def ask_until_gone(url: str, picture: bytes, answers: list[tuple[int, str]]) -> None:
    while True:
        try:
            answer = httpx.post(f"{url}/predict", content=picture, timeout=60)
        except httpx.ConnectError:
            return
        answers.append((answer.status_code, answer.json()["predictions"][0]["label"]))


def test_a_folder_of_bundles_is_served_as_such(readable: Path, tmp_path: Path, red_jpeg: bytes) -> None:
    shutil.copytree(readable, tmp_path / "models" / "leaf" / "one")
    let_read(tmp_path / "models")
    with container(mount(tmp_path / "models", "/models")) as made:
        made.wait_ready()
        answer = httpx.post(f"{made.url}/predict", content=red_jpeg).json()
        assert answer["predictions"][0]["label"] == "red"


def test_a_bundle_may_be_anywhere_as_kserve_puts_it(readable: Path, red_jpeg: bytes) -> None:
    with container(mount(readable, "/mnt/models"), arguments=("--bundle", "/mnt/models")) as made:
        made.wait_ready()
        asked = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [encoded(red_jpeg)]}]}
        answer = httpx.post(f"{made.url}/v2/models/tiny/infer", json=asked)
        assert answer.status_code == 200, answer.text


def encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def test_the_measurement_is_kept_in_a_volume(readable: Path, request: pytest.FixtureRequest) -> None:
    volume = "resnet-test-cache"
    request.addfinalizer(lambda: run(*engine(), "volume", "rm", "--force", volume))
    for how in ("measured now", "measured at an earlier start"):
        with container(mount(readable), f"--volume={volume}:/cache") as made:
            made.wait_ready()
            assert how in made.output
            assert "Could not save" not in made.output
            made.signal("SIGINT")
            assert made.end() == 130


def no_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def another_format(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format_version": 99}))


def tampered(folder: Path) -> None:
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"x")


def unreadable(folder: Path) -> None:
    (folder / "manifest.json").chmod(0o600)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_file, 'error: no bundle is mounted; add -v "$PWD/runs/NAME/bundle:/bundle:ro"'),
        (another_format, "has format version 99; expected 1 to "),
        (tampered, "model.onnx"),
        (unreadable, "Permission denied"),
    ],
)
def test_what_can_not_be_served_is_one_line_and_exit_3(
    readable: Path, tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    folder = Path(shutil.copytree(readable, tmp_path / "bundle"))
    let_read(folder)
    spoil(folder)
    with container(mount(folder)) as made:
        assert made.end() == 3
        assert made.output.startswith("error: ")
        assert made.output.count("\n") == 1
        assert says in made.output


def test_a_port_that_needs_rights_is_one_line_and_exit_3(readable: Path) -> None:
    with container(mount(readable), "--env=PORT=80") as made:
        assert made.end() == 3
        assert made.output == "error: can't listen on 0.0.0.0:80: Permission denied; choose another PORT or HOST\n"


def test_too_little_memory_for_a_request_is_one_line_and_exit_3(readable: Path) -> None:
    with container(mount(readable), "--memory=500m", arguments=("--max-body-mb", "100")) as made:
        assert made.end() == 3
        assert "error: this container may take 524 MB of memory, of which the loaded models take" in made.output


def test_too_little_memory_for_the_model_ends_with_137(readable: Path) -> None:
    with container(mount(readable), "--memory=48m", "--memory-swap=48m") as made:
        assert made.end() == 137


def test_stopped_before_it_is_ready_it_ends_as_it_was_told(readable: Path) -> None:
    with container(mount(readable)) as made:
        made.signal("SIGTERM")
        assert made.end() == 143
        assert made.output in ("", "stopped.\n")
