import json
from pathlib import Path

import pytest
import torch

from contract import ImageSpec
from training.model.device import native_formats
from training.model.network import Classifier
from training.model.precision import CHOICES_FILE, fastest_precision

CPU = torch.device("cpu")
NATIVE = len(native_formats(CPU)) > 1


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "resnet-service" / CHOICES_FILE


def model() -> Classifier:
    return Classifier("resnet18", 3, ImageSpec(size=32, resize=33))


def chosen() -> tuple[torch.dtype, float]:
    return fastest_precision(model(), "resnet18", 32, 8, CPU)


@pytest.mark.skipif(NATIVE, reason="this processor computes in bf16")
def test_bf16_that_would_be_emulated_is_never_chosen(cache: Path) -> None:
    assert chosen() == (torch.float32, 1.0)
    assert not cache.exists()


@pytest.mark.skipif(not NATIVE, reason="this processor does not compute in bf16")
def test_what_was_timed_is_kept(cache: Path) -> None:
    first = chosen()
    kept = cache.read_text()
    assert chosen() == first
    assert cache.read_text() == kept
    (gains,) = json.loads(kept).values()
    assert gains["float32"] == 1.0
    cache.write_text(json.dumps({key: {"float32": 1.0, "bfloat16": 1.05} for key in json.loads(kept)}))
    assert chosen() == (torch.float32, 1.0)  # not worth fewer bits
    cache.write_text(json.dumps({key: {"float32": 1.0, "bfloat16": 1.5} for key in json.loads(kept)}))
    assert chosen() == (torch.bfloat16, 1.5)


@pytest.mark.usefixtures("cache")
def test_timing_changes_nothing() -> None:
    network = model().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    random = torch.get_rng_state()
    fastest_precision(network, "resnet18", 32, 8, CPU)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_damaged_file_is_written_anew(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("{")
    chosen()
    assert not NATIVE or json.loads(cache.read_text())
