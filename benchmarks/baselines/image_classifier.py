"""TorchServe's own image_classifier, made to feed a graph that takes uint8 [N, H, W, 3]: the baseline, nothing more.

Opening, decoding, stacking, softmax, top classes and labels are TorchServe's. Ours are the last two steps of preparing
a picture (the graph normalises by itself), taking the probabilities out of the graph's three outputs, and asking for no
more classes than there are: with fewer than five, image_classifier answers 503.
"""

from typing import Any

from torch import Tensor
from torchvision.transforms.v2 import CenterCrop, Compose, Lambda, PILToTensor, Resize
from ts.torch_handler.image_classifier import ImageClassifier


class StockClassifier(ImageClassifier):  # type: ignore[misc]  # TorchServe ships no types
    """`image_classifier` with its default sizes, 256 and 224 px."""

    topk: int = 5
    image_processing = Compose(
        [Resize(256), CenterCrop(224), PILToTensor(), Lambda(lambda chw: chw.permute(1, 2, 0))],
    )

    def inference(self, data: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """uint8 [N, 224, 224, 3] -> [N, C] whose softmax, which follows, is the graph's calibrated probabilities."""
        probabilities: Tensor = super().inference(data, *args, **kwargs)[1]
        self.topk = min(self.topk, probabilities.shape[1])
        return probabilities.log()
