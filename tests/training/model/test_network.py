import numpy as np
import pytest
import torch
from torchvision.models import get_model
from torchvision.transforms.v2.functional import normalize

from contract import ImageSpec
from training.model.network import Classifier, freeze_backbone, parameter_groups, train_mode

SPEC = ImageSpec(size=32, resize=33)
IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8))


def test_classifier_is_torchvisions_resnet_on_normalised_images() -> None:
    model = Classifier("resnet18", 3, SPEC).eval()
    theirs = get_model("resnet18", weights=None, num_classes=3).eval()
    theirs.load_state_dict(model.backbone.state_dict())
    normalised = normalize(IMAGES.permute(0, 3, 1, 2) / 255, list(SPEC.mean), list(SPEC.std))
    torch.testing.assert_close(model(IMAGES), theirs(normalised), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arch", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_every_architecture_answers(arch: str) -> None:
    with torch.inference_mode():
        assert Classifier(arch, 3, SPEC).eval()(IMAGES).shape == (2, 3)


def test_frozen_backbone_does_not_move() -> None:
    model = Classifier("resnet18", 3, SPEC)
    freeze_backbone(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train_mode(model)
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.1), lr=0.1)
    model(IMAGES).sum().backward()
    optimizer.step()
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"backbone.fc.weight", "backbone.fc.bias"}


def test_weight_decay_spares_norms_and_biases() -> None:
    decayed, spared = parameter_groups(Classifier("resnet18", 3, SPEC), 0.1)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    assert all(parameter.ndim > 1 for parameter in decayed["params"])  # type: ignore[attr-defined]
    assert all(parameter.ndim == 1 for parameter in spared["params"])  # type: ignore[attr-defined]
