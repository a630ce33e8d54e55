"""What every baseline shares: the bundle's TorchScript file, opened and fed as PyTorch's own tutorials do it."""

import io
import json
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import CenterCrop, Compose, PILToTensor, Resize

TOP_K = 5


class Classifier:
    """Pictures in, `{label: probability}` out. PyTorch takes all cores, as it does unless told otherwise."""

    def __init__(self, bundle: Path) -> None:
        manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
        self.labels = [entry["label"] for entry in manifest["classes"]]
        size, resize = manifest["image"]["size"], manifest["image"]["resize"]
        self.transform = Compose([Resize(resize), CenterCrop(size), PILToTensor()])
        self.module = torch.jit.load(bundle / "model.pt").eval()

    def prepare(self, data: bytes) -> Tensor:
        """An image file as uint8 [H, W, 3]; the graph normalises by itself."""
        picture: Tensor = self.transform(Image.open(io.BytesIO(data)).convert("RGB"))
        return picture.permute(1, 2, 0)

    def answer(self, pictures: list[Tensor]) -> list[dict[str, float]]:
        """The five best classes of each picture."""
        with torch.inference_mode():
            probabilities = self.module(torch.stack(pictures))[1]
        best = torch.topk(probabilities, min(TOP_K, len(self.labels)))
        return [
            {self.labels[index]: value for index, value in zip(indices, values, strict=True)}
            for indices, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
