"""What the server counts, for Prometheus. Labels come from closed sets, so scanners can't grow the series."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64)


class ServerMetrics:
    """One server's counters, in a registry of their own."""

    def __init__(self, model: str, version: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("requests", "Answers by route and status", ["route", "status"], registry=self.registry)
        self.stages = Histogram(
            "stage_seconds", "Time spent by stage", ["stage"], buckets=SECONDS, registry=self.registry
        )
        self.batch_size = Histogram("batch_size", "Images per batch", buckets=SIZES, registry=self.registry)
        self.waiting = Gauge("waiting_images", "Images in the queue or being decoded", registry=self.registry)
        self.wait_s = Gauge("predicted_wait_seconds", "What an image that comes now would wait", registry=self.registry)
        self.errors = Counter("errors", "Answers that are errors, by code", ["code"], registry=self.registry)
        info = Gauge("model_info", "The model being served", ["model", "version"], registry=self.registry)
        info.labels(model, version).set(1)

    def on_batch(self, waits_s: Sequence[float], inference_s: float) -> None:
        """Note a batch: how long each image waited, and how long the session took."""
        self.batch_size.observe(len(waits_s))
        self.stages.labels("inference").observe(inference_s)
        for wait in waits_s:
            self.stages.labels("queue").observe(wait)

    def on_request(self, route: str, status: int, seconds: float) -> None:
        """Note an answer and how long it took."""
        self.requests.labels(route, str(status)).inc()
        self.stages.labels("total").observe(seconds)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
