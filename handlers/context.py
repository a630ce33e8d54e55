"""The part of TorchServe's context (ts/context.py, 0.12) that the handler uses: with it no test needs TorchServe."""

from collections.abc import Mapping
from typing import Any, Protocol


class Metrics(Protocol):
    """Where TorchServe takes a model's own figures from."""

    def add_time(self, name: str, value: float, unit: str = "ms") -> None:
        """A duration."""

    def add_counter(self, name: str, value: int) -> None:
        """An increment."""


class Context(Protocol):
    """A worker's surroundings at `initialize`, and a batch's at `handle`."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The archive's MAR-INF/MANIFEST.json."""

    @property
    def model_yaml_config(self) -> Mapping[str, Any]:
        """The archive's model-config.yaml."""

    @property
    def metrics(self) -> Metrics:
        """Where the batch's figures go."""

    @property
    def system_properties(self) -> Mapping[str, Any]:
        """`model_dir`, `gpu_id` (None on the CPU) and `batch_size` among others."""

    def get_request_header(self, idx: int, key: str) -> str | None:
        """A header of the batch's request `idx`; TorchServe adds `explain`, "True" on its explanation routes."""

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """Give the batch's request `idx` a status of its own."""

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Give the batch's answer `idx` its content type."""
