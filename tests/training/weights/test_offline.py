import hashlib
import io
import socket
from pathlib import Path

import pytest
import torch
from torchvision.models import get_model

from export.config import ExportConfig
from export.export import export
from training.baseline.baseline import measure_baseline
from training.baseline.config import BaselineConfig
from training.config import TrainConfig
from training.train import train
from training.weights import fetch, load

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every try to reach another machine is refused and noted."""
    tried: list[object] = []
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def refused(own: socket.socket, address: object) -> None:
        if own.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:  # type: ignore[index]
            tried.append(address)
            raise OSError("no network here")
        connect(own, address)  # type: ignore[arg-type]

    def unresolved(host: object, *rest: object, **named: object) -> object:
        if host not in LOOPBACK:
            tried.append(host)
            raise socket.gaierror("no network here")
        return resolve(host, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    return tried


@pytest.mark.slow
def test_with_the_weights_in_their_place_nothing_asks_for_a_network(
    images: Path, no_network: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    torch.manual_seed(1)
    torch.save(get_model("resnet18", weights=None).state_dict(), file)
    url = f"https://weights.invalid/resnet18-{hashlib.sha256(file.getvalue()).hexdigest()[:8]}.pth"
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    for module in (fetch, load):
        monkeypatch.setattr(module, "imagenet_url", lambda _: url)
    place = tmp_path / "hub" / "checkpoints" / url.rsplit("/", 1)[-1]
    place.parent.mkdir(parents=True)
    place.write_bytes(file.getvalue())
    fetch.fetch("resnet18")
    measure_baseline(BaselineConfig(data=images, out=tmp_path / "out", weights="imagenet", arch="resnet18", size=32))
    train(TrainConfig(data=images, run="first", runs=tmp_path / "runs", arch="resnet18", size=32, steps=2))
    export(ExportConfig(run="first", runs=tmp_path / "runs"))
    assert (tmp_path / "runs" / "first" / "bundle" / "manifest.json").is_file()
    assert not no_network
