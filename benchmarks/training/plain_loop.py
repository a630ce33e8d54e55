"""Training as torchvision's reference does it, in its plainest form: what our training is compared with.

https://github.com/pytorch/vision/tree/main/references/classification: random resized crops, mirroring, SGD with
momentum, batches that worker processes decode anew in each epoch.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.models import get_model

from contract.image.spec import IMAGENET_MEAN, IMAGENET_STD
from training.model.device import autocast

LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 1e-4


class PlainLoop:
    """A network of `arch` and a folder of images per class; every call trains for one epoch more."""

    def __init__(self, folder: Path, arch: str, size: int, batch: int, workers: int, precision: torch.dtype) -> None:
        augmented = transforms.Compose(
            [
                transforms.RandomResizedCrop(size, antialias=True),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
            ]
        )
        images = ImageFolder(str(folder), augmented)
        self._batches = DataLoader(images, batch, shuffle=True, num_workers=workers, drop_last=True)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = get_model(arch, num_classes=len(images.classes)).to(self._device)
        self._optimizer = torch.optim.SGD(
            self._model.parameters(), LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
        )
        self._criterion, self._precision = nn.CrossEntropyLoss(), precision

    def epoch(self) -> int:
        """One pass over the images; returns how many were seen."""
        self._model.train()
        return sum(self._steps())

    def _steps(self) -> Iterator[int]:
        for images, targets in self._batches:
            with autocast(self._device, self._precision):
                loss = self._criterion(self._model(images.to(self._device)).float(), targets.to(self._device))
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            loss.item()
            yield len(targets)
