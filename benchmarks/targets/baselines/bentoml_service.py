"""BentoML with adaptive batching: `bentoml serve bentoml_service:Service`; the bundle's folder is in BENCH_BUNDLE."""

import os
from pathlib import Path

import bentoml
from classifier import Classifier


@bentoml.service(workers=1, traffic={"timeout": 60})
class Service:
    """The model behind a batchable route."""

    def __init__(self) -> None:
        self.classifier = Classifier(Path(os.environ["BENCH_BUNDLE"]))

    @bentoml.api(batchable=True, max_batch_size=8, max_latency_ms=60_000)
    def predict(self, file: list[Path]) -> list[dict[str, float]]:
        """Answer for the pictures that BentoML gathered."""
        return self.classifier.answer([self.classifier.prepare(path.read_bytes()) for path in file])
