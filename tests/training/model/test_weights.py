import functools
import hashlib
import http.server
import io
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import get_model

from contract import ImageSpec
from training.model import weights
from training.model.network import Classifier
from training.model.weights import WeightsError, imagenet_url, load_weights

SPEC = ImageSpec(size=32, resize=33)


@pytest.fixture(scope="module")
def imagenet() -> dict[str, torch.Tensor]:
    """A resnet18 with a thousand classes, as a hub would hold it."""
    torch.manual_seed(1)
    return dict(get_model("resnet18", weights=None).state_dict())


@pytest.fixture(scope="module")
def hub(imagenet: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An HTTP server on loopback with a whole and a damaged weights file; gives its address and its folder."""
    folder = tmp_path_factory.mktemp("hub")
    file = io.BytesIO()
    torch.save(imagenet, file)
    digest = hashlib.sha256(file.getvalue()).hexdigest()
    (folder / f"resnet18-{digest[:8]}.pth").write_bytes(file.getvalue())
    (folder / "resnet18-00000000.pth").write_bytes(file.getvalue()[:1000])

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", folder
        httpd.shutdown()


@pytest.fixture(autouse=True)
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def same_backbone(model: Classifier, state: dict[str, torch.Tensor]) -> bool:
    own = model.backbone.state_dict()
    return all(torch.equal(own[name], state[name]) for name in own if not name.startswith("fc."))


@pytest.mark.parametrize("arch", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_imagenet_url_is_torchvisions_current(arch: str) -> None:
    assert imagenet_url(arch).startswith("https://download.pytorch.org/models/" + arch)


def test_imagenet_is_downloaded_once_and_checked(
    hub: tuple[str, Path], hub_cache: Path, imagenet: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(path.name for path in hub[1].iterdir() if "00000000" not in path.name)
    monkeypatch.setattr(weights, "imagenet_url", lambda _: f"{hub[0]}/{name}")
    model = Classifier("resnet18", 3, SPEC)
    load_weights(model, "imagenet", "resnet18")
    assert same_backbone(model, imagenet)
    assert (hub_cache / name).is_file()
    (hub[1] / name).rename(hub[1] / "gone")
    load_weights(Classifier("resnet18", 3, SPEC), "imagenet", "resnet18")
    (hub[1] / "gone").rename(hub[1] / name)


def test_a_damaged_download_is_refused(hub: tuple[str, Path], hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "imagenet_url", lambda _: f"{hub[0]}/resnet18-00000000.pth")
    with pytest.raises(WeightsError, match=r"resnet18-00000000.pth are damaged \(invalid hash value"):
        load_weights(Classifier("resnet18", 3, SPEC), "imagenet", "resnet18")
    assert not list(hub_cache.iterdir())


def test_a_wrong_file_in_the_cache_is_refused(
    hub_cache: Path, imagenet: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It loads and fits, but it is not what its name says."""
    monkeypatch.setattr(weights, "imagenet_url", lambda _: "http://127.0.0.1:9/resnet18-f37072fd.pth")
    hub_cache.mkdir(parents=True)
    torch.save(imagenet, hub_cache / "resnet18-f37072fd.pth")
    with pytest.raises(WeightsError, match=r"resnet18-f37072fd\.pth is not the expected file"):
        load_weights(Classifier("resnet18", 3, SPEC), "imagenet", "resnet18")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/resnet18-5c106cde.pth", "http://no-such-host.invalid/x.pth"])
def test_an_unreachable_hub_says_what_to_do(url: str, hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "imagenet_url", lambda _: url)
    with pytest.raises(WeightsError) as caught:
        load_weights(Classifier("resnet18", 3, SPEC), "imagenet", "resnet18")
    message, name = str(caught.value), url.rsplit("/", 1)[-1]
    assert f"save it as {hub_cache / name}" in message
    assert message.endswith("WEIGHTS=none")


def test_a_missing_file_on_the_hub_says_what_to_do(hub: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "imagenet_url", lambda _: f"{hub[0]}/absent-12345678.pth")
    with pytest.raises(WeightsError, match="404"):
        load_weights(Classifier("resnet18", 3, SPEC), "imagenet", "resnet18")


def test_a_head_with_the_same_classes_is_taken(tmp_path: Path) -> None:
    source = Classifier("resnet18", 3, SPEC)
    save_file(dict(source.state_dict()), tmp_path / "ours.safetensors")
    model = Classifier("resnet18", 3, SPEC)
    load_weights(model, str(tmp_path / "ours.safetensors"), "resnet18")
    assert torch.equal(model.backbone.fc.weight, source.backbone.fc.weight)


@pytest.mark.parametrize("key", [None, "model", "state_dict"])
def test_a_pth_file_keeps_a_fresh_head_for_other_classes(
    key: str | None, imagenet: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save({key: imagenet, "epoch": 3} if key else imagenet, tmp_path / "w.pth")
    model = Classifier("resnet18", 3, SPEC)
    fresh = model.backbone.fc.weight.clone()
    load_weights(model, str(tmp_path / "w.pth"), "resnet18")
    assert same_backbone(model, imagenet)
    assert torch.equal(model.backbone.fc.weight, fresh)


def test_another_network_is_refused(imagenet: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(imagenet, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match=r"does not fit resnet50: .*set ARCH to the architecture that it was saved from"
    ):
        load_weights(Classifier("resnet50", 3, SPEC), str(tmp_path / "w.pth"), "resnet50")


class Malice:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.marker,)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Malice(tmp_path / "ran"), protocol=2))
    with pytest.raises(WeightsError, match="not a complete weights file"):
        load_weights(Classifier("resnet18", 3, SPEC), str(tmp_path / "evil.pth"), "resnet18")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 no zip"])
def test_rubbish_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="not a complete weights file"):
        load_weights(Classifier("resnet18", 3, SPEC), str(tmp_path / name), "resnet18")


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="has no weights; expected"):
        load_weights(Classifier("resnet18", 3, SPEC), str(tmp_path / "w.pth"), "resnet18")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist; expected WEIGHTS to be imagenet, none, or a"):
        load_weights(Classifier("resnet18", 3, SPEC), str(tmp_path / "w.pth"), "resnet18")


def test_the_truncated_checkpoint_is_refused(shared_data: Path) -> None:
    path = shared_data / "oddities" / "broken_weights" / "resnet18-f37072fd.pth"
    with pytest.raises(WeightsError, match="not a complete weights file"):
        load_weights(Classifier("resnet18", 3, SPEC), str(path), "resnet18")
