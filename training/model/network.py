"""The classifier: pixels as the image contract gives them in, logits out.

Normalisation is a layer, so the trained, the exported and the served model take the same uint8 pixels.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import ResNet, get_model

from contract import ImageSpec
from contract.image.spec import IMAGENET_MEAN, IMAGENET_STD

AVERAGE_MEAN, AVERAGE_STD = (255 * sum(values) / 3 for values in (IMAGENET_MEAN, IMAGENET_STD))
# From the last layer to the first.
STAGES = (("fc",), ("layer4",), ("layer3",), ("layer2",), ("layer1",), ("conv1", "bn1"))
# With weights that were trained before: how much faster the last layer learns, and each stage than the one before it.
HEAD_FACTOR, STAGE_DECAY = 10.0, 0.7


class Classifier(nn.Module):
    """A torchvision ResNet behind its normalisation.

    `forward` takes uint8 [N, H, W, 3] RGB and gives float [N, C] logits.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, arch: str, num_classes: int, spec: ImageSpec) -> None:
        super().__init__()
        # Goyal et al. 2017, section 5.1: residual branches that start at zero let deep nets learn from scratch.
        self.backbone: ResNet = get_model(arch, weights=None, num_classes=num_classes, zero_init_residual=True)
        self.contrast = spec.contrast
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1) * 255, persistent=False)

    def features(self, images_nhwc: Tensor) -> Tensor:
        """The last stage's feature map: float [N, F, h, w]."""
        # Permuting NHWC yields channels_last strides, the layout convolutions are fastest in.
        x = images_nhwc.permute(0, 3, 1, 2).float()
        if self.contrast == "standard":
            x = standardise(x)
        x = (x - self.mean) / self.std
        net = self.backbone
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        features: Tensor = net.layer4(net.layer3(net.layer2(net.layer1(x))))
        return features

    def head(self, features: Tensor) -> Tensor:
        """Logits from the feature map: float [N, C]."""
        logits: Tensor = self.backbone.fc(torch.flatten(self.backbone.avgpool(features), 1))
        return logits

    def forward(self, images_nhwc: Tensor) -> Tensor:
        """Logits: float [N, C]."""
        return self.head(self.features(images_nhwc))


def standardise(images: Tensor) -> Tensor:
    """Bring each image [N, 3, H, W], 0 to 255, to the mean and contrast of an average ImageNet image.

    Colours keep their relation, as all channels are shifted and scaled alike. A constant image has no contrast to bring
    out, nor has one that differs by a grey level of noise: neither is scaled.
    """
    centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
    deviation = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return centred / deviation.clamp(min=1.0) * AVERAGE_STD + AVERAGE_MEAN


def freeze_backbone(model: Classifier) -> None:
    """Leave only the last layer trainable; batch norms then also keep their statistics (see `train_mode`)."""
    model.requires_grad_(False)
    model.backbone.fc.requires_grad_(True)


def train_mode(model: Classifier) -> None:
    """Training mode, except that a frozen backbone's batch norms stay as they are."""
    model.train()
    if not model.backbone.conv1.weight.requires_grad:
        model.eval()


def parameter_groups(model: Classifier, lr: float, weight_decay: float, *, from_scratch: bool) -> list[dict[str, Any]]:
    """The optimizer's groups: a rate for each stage, and no weight decay for norms and biases (torchvision's recipe).

    Trained weights keep most of what they know: each earlier stage of the backbone learns more slowly (Howard and Ruder
    2018, arXiv 1801.06146), the new last layer ten times as fast as the backbone. From scratch, all learn alike.
    """
    rates = [lr] * len(STAGES) if from_scratch else [HEAD_FACTOR * lr, *(lr * STAGE_DECAY**n for n in range(5))]
    return [
        {"params": chosen, "lr": rate, "weight_decay": decay}
        for stage, rate in zip(STAGES, rates, strict=True)
        for chosen, decay in _by_decay(model, stage, weight_decay)
        if chosen
    ]


def _by_decay(model: Classifier, stage: tuple[str, ...], decay: float) -> list[tuple[list[nn.Parameter], float]]:
    modules = [getattr(model.backbone, name) for name in stage]
    trainable = [each for module in modules for each in module.parameters() if each.requires_grad]
    return [
        ([each for each in trainable if each.ndim > 1], decay),
        ([each for each in trainable if each.ndim <= 1], 0.0),
    ]
