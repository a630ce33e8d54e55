"""The PyTorch module that is exported: pixels in, all outputs that servers need out."""

import torch
from torch import Tensor, nn

from contract import Adjustment
from training.model.network import Classifier


class Deployable(nn.Module):
    """uint8 [N, H, W, 3] RGB -> (logits [N, C], probabilities [N, C], activation_map [N, C, h, w]), all float32.

    Probabilities are softmax((logits - offsets) / temperature), with the offsets of the adjustment for rare classes.
    The activation map (Zhou et al. 2016, arXiv 1512.04150) is the last layer, applied at every position of the feature
    map: its mean plus the bias is the logit.
    """

    offsets: Tensor

    def __init__(self, classifier: Classifier, temperature: float, adjustment: Adjustment) -> None:
        super().__init__()
        self.classifier, self.temperature = classifier, temperature
        self.register_buffer("offsets", torch.from_numpy(adjustment.offsets))

    def forward(self, images_nhwc: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run a batch."""
        features = self.classifier.features(images_nhwc)
        # The same as the network's head, whose pooling is exported as a Gather that OpenVINO computes wrongly beside
        # quantised layers (onnxruntime-ep-openvino 1.8.1).
        logits = self.classifier.backbone.fc(features.mean(dim=(2, 3)))
        probabilities = torch.softmax((logits - self.offsets) / self.temperature, dim=1)
        kernel = self.classifier.backbone.fc.weight[:, :, None, None]
        return logits, probabilities, nn.functional.conv2d(features, kernel)
