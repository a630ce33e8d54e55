"""Real parts, made small: images drawn by program, a resnet18 trained for two epochs, its true export, a real server."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
TINTS = {"blue": (40, 60, 200), "grün": (50, 190, 60), "red": (200, 50, 40)}

PictureBytes = Callable[..., bytes]


def draw(size: tuple[int, int], tint: tuple[int, int, int], seed: int) -> Image.Image:
    """A noisy picture of one colour."""
    noise = np.random.default_rng(seed).normal(0, 25, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.array(tint) + noise, 0, 255).astype(np.uint8))


def encode(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """The picture as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write_images(folder: Path, count: int, tints: dict[str, tuple[int, int, int]] = TINTS) -> Path:
    """A folder per tint with `count` JPEGs each, no two alike."""
    for index, (name, tint) in enumerate(tints.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture = draw((40 + number, 48), tint, seed=1000 * index + number)
            (folder / name / f"{name} ({number}).JPG").write_bytes(encode(picture))
    return folder


def run_module(*arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run `python -m …` as a user would; returns its exit code and what it printed."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data") / "images", 10)


@pytest.fixture(scope="session")
def run_folder(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a resnet18 at 32 px."""
    from training.config import TrainConfig
    from training.train import train

    names = images.parent / "names.json"
    names.write_text('{"blue": "蓝色", "grün": "绿色", "red": "红色"}', encoding="utf-8")
    runs = tmp_path_factory.mktemp("runs")
    config = TrainConfig(
        data=images, run="tiny", runs=runs, arch="resnet18", weights="none", size=32, epochs=3, batch=8, names=names
    )
    train(config)
    return config.folder


@pytest.fixture(scope="session")
def bundle(run_folder: Path) -> Path:
    """The true export of `run_folder`."""
    from export.config import ExportConfig
    from export.export import export

    return export(ExportConfig(run=run_folder.name, runs=run_folder.parent))


@pytest.fixture(scope="session")
def red_jpeg() -> bytes:
    return encode(draw((64, 48), TINTS["red"], seed=7))


class RunningServer:
    """`python -m serve` in a process of its own."""

    def __init__(self, bundle: Path, *options: str) -> None:
        command = [sys.executable, "-m", "serve", "--bundle", str(bundle), "--port", "0", *options]
        self.process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.banner: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.banner.append(line)
            if line.startswith("Ready: "):
                break
        assert self.banner and self.banner[-1].startswith("Ready: "), self.process.communicate()
        self.url = self.banner[-1].split()[1].removesuffix("/predict")

    def stop(self) -> tuple[int, str]:
        """Ask the server to end; returns its exit code and what it wrote to stderr."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


@pytest.fixture(scope="session")
def server(bundle: Path) -> Iterator[RunningServer]:
    running = RunningServer(bundle)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images; a user's clone has none, and the tests that need them are skipped there."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no shared data here")
    return SHARED_DATA
