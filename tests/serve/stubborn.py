"""A server with a real session that crashes, or answers only when it may."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray

from contract.graph import Outputs
from runtime import Session, load_model
from runtime.tuning import Tuning
from serve.auth import Keys
from serve.config import ServeConfig
from serve.dataplane import DataPlane
from serve.health import Health
from serve.models.loader import Loader
from serve.models.registry import ModelRegistry
from serve.models.repository import BundleEntry, open_repository
from serve.models.served_model import ServedModel
from serve.rest.app import create_app


class StubbornSession(Session):
    """A real session that crashes so many times, and answers only when it may."""

    crashes = 0
    runs = 0

    def __init__(self, model: bytes) -> None:
        super().__init__(model)
        self.gate = threading.Event()
        self.gate.set()

    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        self.runs += 1
        assert self.gate.wait(timeout=30)
        if self.crashes:
            self.crashes -= 1
            raise RuntimeError("out of memory at /secret/path")
        return super().run(images_nhwc)


class StubbornLoader(Loader):
    """Opens every bundle with that session."""

    def __init__(self, config: ServeConfig, session: Session, batch_s: float) -> None:
        super().__init__(config)
        self.session, self.tuning = session, Tuning(runners=1, threads=1, batch_s={1: batch_s})

    def load(self, found: BundleEntry) -> ServedModel:
        return self.equip(replace(load_model(found.folder), session=self.session), self.tuning)


def stubborn_app(
    bundle: Path, session: Session, health: Health, batch_s: float = 1.0, max_wait_ms: int = 1500
) -> tuple[FastAPI, DataPlane]:
    """The application around that session; a batch is said to take `batch_s`."""
    config = ServeConfig(bundle=bundle, max_wait_ms=max_wait_ms, timeout_ms=max(10_000, 2 * max_wait_ms))
    models = ModelRegistry(open_repository(config), StubbornLoader(config, session, batch_s), health)
    models.load_all()
    dataplane = DataPlane(models, config)
    return create_app(dataplane, Keys()), dataplane


@asynccontextmanager
async def serving(
    bundle: Path, session: Session, health: Health, batch_s: float = 1.0, max_wait_ms: int = 1500
) -> AsyncIterator[FastAPI]:
    """The same as uvicorn would run it, without a network."""
    app, _ = stubborn_app(bundle, session, health, batch_s, max_wait_ms)
    async with app.router.lifespan_context(app):
        yield app
