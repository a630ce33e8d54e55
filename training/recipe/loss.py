"""The training images of each class in, the loss that training lowers out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.config import BalanceName

SMOOTHING, SMOOTHED_CLASSES = 0.1, 10
# Classes of which so many images are answered rightly can be told apart; below, margins would only shift the answers.
LEARNED = 0.8
# The weight of each step in what is recent.
RECENT = 0.02


class MarginLoss(nn.Module):
    """Cross-entropy of logits [N, C] to which `strength` log(share of the class) is added, against classes [N].

    An image of a rare class must win by more, up to the log of how much commoner the other class is: its few images,
    drawn again and again, are otherwise soon learned by heart, and others like them are taken for a common class.
    Sources: Menon et al. 2021 (arXiv 2007.07314), equation 10, for the loss; Cao et al. 2019 (arXiv 1906.07413) for
    margins that come in only once the classes are learned. Here that is told by `right`, the share of recent training
    images that were answered rightly: classes that overlap would otherwise all be taken for the rarest.
    """

    margins: Tensor
    right: Tensor

    def __init__(self, counts: Sequence[int], smoothing: float) -> None:
        super().__init__()
        shares = torch.tensor(counts, dtype=torch.float32).clamp(min=1) / max(1, sum(counts))
        self.register_buffer("margins", shares.log(), persistent=False)
        self.register_buffer("right", torch.tensor(0.0))
        self._loss = nn.CrossEntropyLoss(label_smoothing=smoothing)

    @property
    def strength(self) -> Tensor:
        """0 while the classes are being learned, 1 where all images are answered rightly."""
        return ((self.right - LEARNED) / (1 - LEARNED)).clamp(min=0.0)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean over the images, in nats."""
        loss: Tensor = self._loss(logits + self.strength * self.margins, targets)
        if self.training:
            self.right.lerp_((logits.argmax(1) == targets).float().mean(), RECENT)
        return loss


def make_loss(balance: BalanceName, counts: Sequence[int], smoothing: float | None) -> nn.Module:
    """The loss for so many training images of each class; `smoothing` None: by the number of classes."""
    if smoothing is None:
        # With few classes, smoothing only makes the model less sure.
        smoothing = SMOOTHING if len(counts) >= SMOOTHED_CLASSES else 0.0
    if balance == "sample":
        return MarginLoss(counts, smoothing)
    return nn.CrossEntropyLoss(label_smoothing=smoothing)
