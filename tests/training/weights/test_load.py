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
from training.model.network import Classifier
from training.weights import fetch, load
from training.weights.errors import WeightsError
from training.weights.imagenet import imagenet_url

SPEC = ImageSpec(size=32, resize=33)
LABELS = ["blue", "grün", "red"]


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


def start(model: Classifier, source: str, arch: str) -> None:
    """Load weights into a model of three classes."""
    load.load_weights(model, source, arch, LABELS)


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
    monkeypatch.setattr(load, "imagenet_url", lambda _: f"{hub[0]}/{name}")
    model = Classifier("resnet18", 3, SPEC)
    start(model, "imagenet", "resnet18")
    assert same_backbone(model, imagenet)
    assert (hub_cache / name).is_file()
    (hub[1] / name).rename(hub[1] / "gone")
    start(Classifier("resnet18", 3, SPEC), "imagenet", "resnet18")
    (hub[1] / "gone").rename(hub[1] / name)


def test_weights_are_fetched_once_and_then_verified(
    hub: tuple[str, Path], hub_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = next(path.name for path in hub[1].iterdir() if "00000000" not in path.name)
    monkeypatch.setattr(fetch, "imagenet_url", lambda _: f"{hub[0]}/{name}")
    fetch.fetch("resnet18")
    assert f"Fetched and verified: {hub_cache / name}\n47 MB, SHA-256 " in capsys.readouterr().out
    monkeypatch.setattr(fetch, "imagenet_url", lambda _: f"http://127.0.0.1:9/{name}")
    fetch.fetch("resnet18")
    assert capsys.readouterr().out.startswith(f"Verified: {hub_cache / name}\n")
    (hub_cache / name).write_bytes(b"put here by hand, but not whole")
    with pytest.raises(WeightsError, match="is not the expected file"):
        fetch.fetch("resnet18")


def test_a_damaged_download_is_refused(hub: tuple[str, Path], hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "imagenet_url", lambda _: f"{hub[0]}/resnet18-00000000.pth")
    with pytest.raises(WeightsError, match=r"resnet18-00000000.pth are damaged \(invalid hash value"):
        start(Classifier("resnet18", 3, SPEC), "imagenet", "resnet18")
    assert not list(hub_cache.iterdir())


def test_a_wrong_file_in_the_cache_is_refused(
    hub_cache: Path, imagenet: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It loads and fits, but it is not what its name says."""
    monkeypatch.setattr(load, "imagenet_url", lambda _: "http://127.0.0.1:9/resnet18-f37072fd.pth")
    hub_cache.mkdir(parents=True)
    torch.save(imagenet, hub_cache / "resnet18-f37072fd.pth")
    with pytest.raises(WeightsError, match=r"resnet18-f37072fd\.pth is not the expected file"):
        start(Classifier("resnet18", 3, SPEC), "imagenet", "resnet18")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/resnet18-5c106cde.pth", "http://no-such-host.invalid/x.pth"])
def test_an_unreachable_hub_says_what_to_do(url: str, hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "imagenet_url", lambda _: url)
    with pytest.raises(WeightsError) as caught:
        start(Classifier("resnet18", 3, SPEC), "imagenet", "resnet18")
    message, name = str(caught.value), url.rsplit("/", 1)[-1]
    assert f"save it as {hub_cache / name}" in message
    assert message.endswith("WEIGHTS=none")


def test_a_missing_file_on_the_hub_says_what_to_do(hub: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "imagenet_url", lambda _: f"{hub[0]}/absent-12345678.pth")
    with pytest.raises(WeightsError, match="404"):
        start(Classifier("resnet18", 3, SPEC), "imagenet", "resnet18")


def test_a_head_with_the_same_classes_is_taken(tmp_path: Path) -> None:
    source = Classifier("resnet18", 3, SPEC)
    save_file(dict(source.state_dict()), tmp_path / "ours.safetensors")
    model = Classifier("resnet18", 3, SPEC)
    start(model, str(tmp_path / "ours.safetensors"), "resnet18")
    assert torch.equal(model.backbone.fc.weight, source.backbone.fc.weight)


@pytest.mark.parametrize("key", [None, "model", "state_dict", "model_state_dict"])
def test_a_pth_file_keeps_a_fresh_head_for_other_classes(
    key: str | None, imagenet: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save({key: imagenet, "epoch": 3} if key else imagenet, tmp_path / "w.pth")
    model = Classifier("resnet18", 3, SPEC)
    fresh = model.backbone.fc.weight.clone()
    start(model, str(tmp_path / "w.pth"), "resnet18")
    assert same_backbone(model, imagenet)
    assert torch.equal(model.backbone.fc.weight, fresh)


@pytest.mark.parametrize(("labels", "taken"), [(LABELS, True), (["blue", "grün", "pink"], False)])
def test_the_head_of_a_checkpoint_is_taken_for_the_same_classes_only(
    labels: list[str], taken: bool, tmp_path: Path
) -> None:
    source, model = Classifier("resnet18", 3, SPEC), Classifier("resnet18", 3, SPEC)
    torch.save({"classes": [[label, label] for label in labels], "model": source.state_dict()}, tmp_path / "best.pt")
    start(model, str(tmp_path / "best.pt"), "resnet18")
    assert torch.equal(model.backbone.fc.weight, source.backbone.fc.weight) == taken
    assert same_backbone(model, source.backbone.state_dict())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.module.", "model.backbone."])
def test_weights_of_wrapped_networks_are_taken(prefix: str, imagenet: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save({prefix + name: tensor for name, tensor in imagenet.items()}, tmp_path / "w.pth")
    model = Classifier("resnet18", 3, SPEC)
    start(model, str(tmp_path / "w.pth"), "resnet18")
    assert same_backbone(model, imagenet)


def test_old_files_and_other_heads_are_taken(imagenet: dict[str, torch.Tensor], tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in imagenet.items() if "num_batches" not in name and "fc." not in name}
    heads = {"fc.0.weight": torch.ones(9, 512), "fc.3.bias": torch.ones(4), "classifier.weight": torch.ones(2)}
    torch.save({**state, **heads}, tmp_path / "w.pth")
    model = Classifier("resnet18", 3, SPEC)
    start(model, str(tmp_path / "w.pth"), "resnet18")
    assert torch.equal(model.backbone.conv1.weight, imagenet["conv1.weight"])


def test_a_pickled_model_says_what_to_save(tmp_path: Path) -> None:
    torch.save(get_model("resnet18", weights=None), tmp_path / "whole.pth")
    with pytest.raises(WeightsError) as caught:
        start(Classifier("resnet18", 3, SPEC), str(tmp_path / "whole.pth"), "resnet18")
    assert str(caught.value) == (
        f"{tmp_path}/whole.pth holds a whole model or other Python objects, and reading those would run code from the "
        "file; save the weights alone: torch.save(model.state_dict(), 'weights.pth')"
    )


def test_another_network_is_refused(imagenet: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(imagenet, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match=r"does not fit resnet50: .*set ARCH to the architecture that it was saved from"
    ):
        start(Classifier("resnet50", 3, SPEC), str(tmp_path / "w.pth"), "resnet50")


class Malice:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.marker,)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Malice(tmp_path / "ran"), protocol=2))
    with pytest.raises(WeightsError, match="holds a whole model or other Python objects"):
        start(Classifier("resnet18", 3, SPEC), str(tmp_path / "evil.pth"), "resnet18")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 no zip"])
def test_rubbish_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="not a complete weights file"):
        start(Classifier("resnet18", 3, SPEC), str(tmp_path / name), "resnet18")


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="has no weights; expected"):
        start(Classifier("resnet18", 3, SPEC), str(tmp_path / "w.pth"), "resnet18")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist; expected WEIGHTS to be imagenet, none, a run, or a"):
        start(Classifier("resnet18", 3, SPEC), str(tmp_path / "w.pth"), "resnet18")


def test_the_truncated_checkpoint_is_refused(shared_data: Path) -> None:
    path = shared_data / "oddities" / "broken_weights" / "resnet18-f37072fd.pth"
    with pytest.raises(WeightsError, match="not a complete weights file"):
        start(Classifier("resnet18", 3, SPEC), str(path), "resnet18")
