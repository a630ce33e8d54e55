"""The part of TorchServe's context (ts/context.py, 0.12) that the handler uses, so that tests don't need TorchServe."""

from collections.abc import Mapping
from typing import Any, Protocol


class Metrics(Protocol):
    """TorchServe's collector for a model's own metrics."""

    def add_time(self, name: str, value: float, unit: str = "ms") -> None:
        """Record a duration."""

    def add_counter(self, name: str, value: int) -> None:
        """Increment a counter by `value`."""


class Context(Protocol):
    """What TorchServe passes to `initialize` (for the worker) and to `handle` (for a batch)."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The archive's MAR-INF/MANIFEST.json."""

    @property
    def model_yaml_config(self) -> Mapping[str, Any]:
        """The archive's model-config.yaml."""

    @property
    def metrics(self) -> Metrics:
        """The collector for the batch's metrics."""

    @property
    def system_properties(self) -> Mapping[str, Any]:
        """Among others `model_dir`, `gpu_id` (None on the CPU) and `batch_size`."""

    def get_request_header(self, idx: int, key: str) -> str | None:
        """A header of request `idx` of the batch. On its explanation routes, TorchServe adds `explain`: "True"."""

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """Set the HTTP status for request `idx` of the batch."""

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Set the content type for answer `idx` of the batch."""
