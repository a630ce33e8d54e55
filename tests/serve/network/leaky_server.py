"""The server, made to keep some kilobytes of every request: the test of memory must find it out."""

import sys
from pathlib import Path

from serve.config import ServeConfig
from serve.observability.metrics import ModelId, ServerMetrics
from serve.server import serve

LEAK = 32_768
kept: list[bytes] = []
honest = ServerMetrics.on_request


def leak(self: ServerMetrics, route: str, status: int | str, model: ModelId, seconds: float) -> None:
    kept.append(bytes([len(kept) % 256]) * LEAK)
    honest(self, route, status, model, seconds)


if __name__ == "__main__":
    ServerMetrics.on_request = leak  # type: ignore[method-assign]
    serve(ServeConfig(bundle=Path(sys.argv[1]), port=0))
