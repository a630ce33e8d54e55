"""Loads an ONNX file as an engine, in one of the modes that the bundle's manifest admits."""

from pathlib import Path

from contract import Manifest
from handlers.engine import Engine
from runtime.model import replay_golden
from runtime.modes import WantedPrecision, WantedProvider, modes_for
from runtime.tuning import fastest


def open_onnx(
    folder: Path,
    manifest: Manifest,
    threads: int,
    gpu: int | None,
    provider: WantedProvider = "auto",
    precision: WantedPrecision = "auto",
) -> Engine:
    """The fastest of the modes that are wanted: on the CPU with `threads` threads, or on CUDA device `gpu`.

    Raises `ProviderError` or `GoldenError`.
    """
    if gpu is not None and provider == "auto":
        provider = "cuda"
    session = fastest(folder, manifest, modes_for(manifest, provider, precision), threads, gpu or 0)
    return Engine(
        name=str(session.mode),
        run=session.run,
        prove=lambda: replay_golden(folder, manifest, session.mode, session),
    )
