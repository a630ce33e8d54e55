"""Images and a network that need not be trained in, numbers that describe each image out.

Even random convolutions tell textures apart, if every stage is asked and not the last one alone (Saxe et al. 2011, "On
random weights and unsupervised feature learning").
"""

import copy
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from training.learning.loader import Batch
from training.model.network import Classifier, standardise

# Added before the logarithm: what a unit that never fires counts as.
SILENT = 1e-3


@torch.inference_mode()
def describe_images(model: Classifier, batches: Iterable[Batch], device: torch.device) -> NDArray[np.float64]:
    """Mean and deviation of every channel after each stage, and of the image's own colours, as logs: float64 [N, F]."""
    network = _awakened(model).eval()
    found = [_describe(network, images_nhwc.to(device)) for images_nhwc, _ in batches]
    return np.log(np.abs(np.concatenate(found)) + SILENT)


def _awakened(model: Classifier) -> Classifier:
    """A copy whose residual branches count: fresh ones start at zero, and hold no features yet."""
    network = copy.deepcopy(model)
    for module in network.modules():
        last = module.bn3 if isinstance(module, Bottleneck) else module.bn2 if isinstance(module, BasicBlock) else None
        if last is not None and not last.weight.any():
            nn.init.ones_(last.weight)
    return network


def _describe(network: Classifier, images_nhwc: Tensor) -> NDArray[np.float64]:
    images = images_nhwc.permute(0, 3, 1, 2).float()
    net = network.backbone
    x = net.relu(net.bn1(net.conv1((standardise(images) - network.mean) / network.std)))
    moments = [*_moments(images), *_moments(x)]
    x = net.maxpool(x)
    for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
        x = stage(x)
        moments += _moments(x)
    result: NDArray[np.float64] = torch.cat(moments, dim=1).double().cpu().numpy()
    return result


def _moments(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation over the positions of each channel, [N, C] each."""
    return maps.mean(dim=(2, 3)), maps.std(dim=(2, 3), correction=0)
