import numpy as np
import pytest
import torch
from torchvision.models import get_model
from torchvision.transforms.v2.functional import normalize

from contract import ImageSpec
from training.model.network import Classifier, freeze_backbone, parameter_groups, standardise, train_mode

SPEC = ImageSpec(size=32, resize=33)
IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8))


def test_classifier_is_torchvisions_resnet_on_normalised_images() -> None:
    model = Classifier("resnet18", 3, SPEC).eval()
    theirs = get_model("resnet18", weights=None, num_classes=3).eval()
    theirs.load_state_dict(model.backbone.state_dict())
    normalised = normalize(IMAGES.permute(0, 3, 1, 2) / 255, list(SPEC.mean), list(SPEC.std))
    torch.testing.assert_close(model(IMAGES), theirs(normalised), rtol=1e-4, atol=1e-5)


def contrasting() -> Classifier:
    torch.manual_seed(0)
    return Classifier("resnet18", 3, ImageSpec(size=32, resize=33, contrast="standard")).eval()


def test_exposure_and_contrast_make_no_difference_where_each_image_is_standardised() -> None:
    model, dark = contrasting(), IMAGES // 4
    torch.testing.assert_close(model(dark), model(dark * 2 + 40), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(Classifier("resnet18", 3, SPEC).eval()(dark), model(dark), atol=1e-3)


def test_images_are_standardised_each_by_itself_with_their_colours() -> None:
    shown = standardise(IMAGES.permute(0, 3, 1, 2).float())
    assert torch.allclose(shown.mean(dim=(1, 2, 3)), torch.tensor(114.5), atol=0.1)
    assert torch.allclose(shown.std(dim=(1, 2, 3)), torch.tensor(57.5), atol=0.2)
    alone = standardise(IMAGES[:1].permute(0, 3, 1, 2).float())
    assert torch.equal(alone, shown[:1])
    reddish = IMAGES.clone()
    reddish[..., 0] = 255
    means = standardise(reddish.permute(0, 3, 1, 2).float()).mean(dim=(0, 2, 3))
    assert means[0] > means[1] + 50


def test_constant_images_have_no_contrast_whatever_their_shade() -> None:
    shades = [torch.full((1, 32, 32, 3), shade, dtype=torch.uint8) for shade in (0, 128, 255)]
    first, *others = (contrasting()(shade) for shade in shades)
    assert torch.isfinite(first).all()
    assert all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("arch", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_every_architecture_answers(arch: str) -> None:
    with torch.inference_mode():
        assert Classifier(arch, 3, SPEC).eval()(IMAGES).shape == (2, 3)


def test_frozen_backbone_does_not_move() -> None:
    model = Classifier("resnet18", 3, SPEC)
    freeze_backbone(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train_mode(model)
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.1, 0.1, from_scratch=True))
    model(IMAGES).sum().backward()
    optimizer.step()
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"backbone.fc.weight", "backbone.fc.bias"}


def test_weight_decay_spares_norms_and_biases() -> None:
    groups = parameter_groups(Classifier("resnet18", 3, SPEC), 1e-3, 0.1, from_scratch=True)
    for group in groups:
        assert {parameter.ndim > 1 for parameter in group["params"]} == {group["weight_decay"] == 0.1}
    assert {group["lr"] for group in groups} == {1e-3}


def test_trained_stages_learn_more_slowly_the_earlier_they_are() -> None:
    model = Classifier("resnet18", 3, SPEC)
    rates = {
        id(parameter): group["lr"]
        for group in parameter_groups(model, 1e-3, 0.1, from_scratch=False)
        for parameter in group["params"]
    }
    net = model.backbone
    in_order = [net.conv1, net.layer1[0].conv1, net.layer2[0].conv1, net.layer3[0].conv1, net.layer4[0].conv1]
    assert [round(rates[id(each.weight)], 7) for each in in_order] == [0.0002401, 0.000343, 0.00049, 0.0007, 1e-3]
    assert rates[id(net.fc.weight)] == 1e-2
    assert len(rates) == len(list(model.parameters()))
