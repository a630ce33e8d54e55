"""LitServe with batching, as its documentation shows it: decode_request, batch, predict, unbatch, encode_response."""

import sys
from pathlib import Path
from typing import Any

import litserve as ls
from classifier import Classifier
from fastapi import Request
from torch import Tensor

BUNDLE, PORT = Path(sys.argv[1]), int(sys.argv[2])


class ClassifierAPI(ls.LitAPI):
    """The model, in LitServe's steps."""

    def setup(self, device: str) -> None:
        """Load in the worker's process."""
        self.classifier = Classifier(BUNDLE)

    def decode_request(self, request: Request, **_: Any) -> Tensor:
        """The picture in the form."""
        return self.classifier.prepare(request["file"].file.read())

    def batch(self, inputs: list[Tensor]) -> list[Tensor]:
        """All at once."""
        return inputs

    def predict(self, pictures: list[Tensor], **_: Any) -> list[dict[str, float]]:
        """Answer for a batch."""
        return self.classifier.answer(pictures)

    def unbatch(self, output: list[dict[str, float]]) -> list[dict[str, float]]:
        """Each its own."""
        return output

    def encode_response(self, output: dict[str, float], **_: Any) -> dict[str, float]:
        """As it is."""
        return output


if __name__ == "__main__":
    api = ClassifierAPI(max_batch_size=8, batch_timeout=0.005)
    ls.LitServer(api, accelerator="cpu", workers_per_device=1).run(
        port=PORT, generate_client_file=False, log_level="warning"
    )
