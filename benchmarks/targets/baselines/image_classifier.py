"""TorchServe's own image_classifier, made to feed a graph that takes uint8 [N, H, W, 3]: the baseline, nothing more.

Opening, decoding, stacking, softmax, top classes and labels are TorchServe's. Ours are the sizes, as its own, 256 and
224 px, are not what the model was trained with; the last two steps of preparing a picture (the graph normalises by
itself); taking the probabilities out of the graph's three outputs; and asking for no more classes than there are: with
fewer than five, image_classifier answers 503.
"""

import json
from pathlib import Path
from typing import Any

from torch import Tensor
from torchvision.transforms.v2 import CenterCrop, Compose, Lambda, PILToTensor, Resize
from ts.torch_handler.image_classifier import ImageClassifier


class StockClassifier(ImageClassifier):  # type: ignore[misc]  # TorchServe ships no types
    """`image_classifier` with the bundle's sizes; the archive holds its manifest.json."""

    topk: int = 5

    def initialize(self, context: Any) -> None:
        """Load the model."""
        super().initialize(context)
        manifest = Path(context.system_properties["model_dir"]) / "manifest.json"
        spec = json.loads(manifest.read_text(encoding="utf-8"))["image"]
        last = [PILToTensor(), Lambda(lambda chw: chw.permute(1, 2, 0))]
        self.image_processing = Compose([Resize(spec["resize"]), CenterCrop(spec["size"]), *last])

    def inference(self, data: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """uint8 [N, H, W, 3] -> [N, C] whose softmax, which follows, is the graph's calibrated probabilities."""
        probabilities: Tensor = super().inference(data, *args, **kwargs)[1]
        self.topk = min(self.topk, probabilities.shape[1])
        return probabilities.log()
