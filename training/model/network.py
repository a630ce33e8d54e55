"""The classifier: pixels as the image contract gives them in, logits out.

Normalisation is a layer, so the trained, the exported and the served model take the same uint8 pixels.
"""

import torch
from torch import Tensor, nn
from torchvision.models import ResNet, get_model

from contract import ImageSpec


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
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1) * 255, persistent=False)

    def features(self, images_nhwc: Tensor) -> Tensor:
        """The last stage's feature map: float [N, F, h, w]."""
        # Permuting NHWC yields channels_last strides, the layout convolutions are fastest in.
        x = (images_nhwc.permute(0, 3, 1, 2).float() - self.mean) / self.std
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


def freeze_backbone(model: Classifier) -> None:
    """Leave only the last layer trainable; batch norms then also keep their statistics (see `train_mode`)."""
    model.requires_grad_(False)
    model.backbone.fc.requires_grad_(True)


def train_mode(model: Classifier) -> None:
    """Training mode, except that a frozen backbone's batch norms stay as they are."""
    model.train()
    if not model.backbone.conv1.weight.requires_grad:
        model.eval()


def parameter_groups(model: Classifier, weight_decay: float) -> list[dict[str, object]]:
    """AdamW's groups: weight decay for matrices and kernels, none for norms and biases (torchvision's recipe)."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
