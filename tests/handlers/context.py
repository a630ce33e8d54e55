"""What TorchServe would hand to the handler, without TorchServe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class RecordedMetrics:
    """Keeps what the handler reports."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def add_time(self, name: str, value: float, unit: str = "ms") -> None:
        self.values[name] = value

    def add_counter(self, name: str, value: int) -> None:
        self.values[name] = value


class WorkerContext:
    """A worker on `folder` whose model file is `model_file`; keeps what the handler sets for each request."""

    def __init__(self, folder: Path, model_file: str, batch_size: int = 8) -> None:
        self.manifest: Mapping[str, Any] = {"model": {"serializedFile": model_file}}
        self.model_yaml_config: dict[str, Any] = {"minWorkers": 1, "maxWorkers": 2}
        self.system_properties: Mapping[str, Any] = {
            "model_dir": str(folder),
            "gpu_id": None,
            "batch_size": batch_size,
        }
        self.metrics = RecordedMetrics()
        self.explained: set[int] = set()
        self.statuses: dict[int, tuple[int, str]] = {}
        self.content_types: dict[int, str] = {}

    def get_request_header(self, idx: int, key: str) -> str | None:
        return "True" if key == "explain" and idx in self.explained else None

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self.statuses[idx] = (code, phrase)

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.content_types[idx] = value
