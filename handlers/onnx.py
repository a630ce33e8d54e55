"""Loads an ONNX file as an engine, in one of the modes that the bundle's manifest admits."""

import logging
from pathlib import Path

from contract import Manifest
from handlers.engine import Engine
from runtime.model import replay_golden
from runtime.modes import WantedPrecision, WantedProvider, modes_for
from runtime.tuning import fastest

logger = logging.getLogger(__name__)


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
    modes = modes_for(manifest, provider, precision)
    session, left_out = fastest(folder, manifest, modes, threads, gpu or 0)
    for reason in left_out:
        logger.warning("mode left out: %s", reason)
    return Engine(
        name=str(session.mode),
        run=session.run,
        prove=lambda: replay_golden(folder, manifest, session.mode, session),
    )
