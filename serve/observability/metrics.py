"""What the server counts, for Prometheus. Labels come from closed sets, so scanners can't grow the series."""

import platform
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol

import onnxruntime
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from serve import VERSION

# Before each name, so that they stand together beside those of other programs.
NAMESPACE = "resnet_service"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64)
SHARES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5)


class ModelId(NamedTuple):
    """A model's labels; both are empty where a request is not for a model."""

    model: str = ""
    version: str = ""


class Queue(Protocol):
    """A model's queue."""

    @property
    def waiting(self) -> int:
        """How many pictures wait."""

    @property
    def wait_s(self) -> float:
        """How long one that comes now would."""


class ServerMetrics:
    """One server's counters, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry, namespace=NAMESPACE)
        gauge = partial(Gauge, registry=self.registry, namespace=NAMESPACE)
        histogram = partial(Histogram, registry=self.registry, namespace=NAMESPACE)
        ProcessCollector(registry=self.registry)  # processor time, memory, open files, under Prometheus' own names
        build = gauge(
            "build_info", "Versions of the server and of what it runs on", ["version", "onnxruntime", "python"]
        )
        build.labels(VERSION, onnxruntime.__version__, platform.python_version()).set(1)
        self.requests = counter("requests", "Responses by route and status", ["route", "status"])
        names = list(ModelId._fields)
        self.errors = counter("errors", "Error responses by error code", [*names, "code"])
        self.stages = histogram(
            "stage_seconds", "Time spent in each stage, in seconds", [*names, "stage"], buckets=SECONDS
        )
        self.batch_size = histogram("batch_size", "Images per batch", names, buckets=SIZES)
        self.waiting = gauge("waiting_images", "Images that are being decoded or wait in the queue", names)
        self.wait_s = gauge("predicted_wait_seconds", "Predicted wait of a new image, in seconds", names)
        self.info = gauge("model_info", "Models and versions that are being served", [*names, "label"])
        self.mode = gauge("model_mode", "How each model is run: the provider and the precision", [*names, "mode"])
        self.mirrored = counter(
            "mirrored_pictures", "Images of shadow traffic (copied to a canary), by result", [*names, "result"]
        )
        self.mirror_difference = histogram(
            "mirror_difference",
            "Difference between stable and canary in the best class's probability",
            names,
            buckets=SHARES,
        )

    def watch(self, model: ModelId, queue: Queue) -> None:
        """Ask this queue whenever the metrics are read."""
        self.waiting.labels(*model).set_function(lambda: queue.waiting)
        self.wait_s.labels(*model).set_function(lambda: queue.wait_s)

    def forget(self, model: ModelId) -> None:
        """A model that is no longer served: new versions must not let the series grow for ever."""
        per_model = (self.errors, self.stages, self.batch_size, self.waiting, self.wait_s)
        for metric in (*per_model, self.mirrored, self.mirror_difference):
            metric.remove_by_labels(model._asdict())

    def on_batch(self, model: ModelId, waits_s: Sequence[float], inference_s: float) -> None:
        """Note a batch: how long each image waited, and how long the session took."""
        self.batch_size.labels(*model).observe(len(waits_s))
        self.stages.labels(*model, "inference").observe(inference_s)
        for wait in waits_s:
            self.stages.labels(*model, "queue").observe(wait)

    def on_request(self, route: str, status: int | str, model: ModelId, seconds: float) -> None:
        """Note that a request has ended."""
        self.requests.labels(route, str(status)).inc()

    def on_answer(self, model: ModelId, read_s: float | None, total_s: float) -> None:
        """Note how long an answer took, and before it its body to come; refusals would make both look fast."""
        if read_s is not None:
            self.stages.labels(*model, "read").observe(read_s)
        self.stages.labels(*model, "total").observe(total_s)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
