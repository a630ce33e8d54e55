"""The web application: the routes of each habit around one model that has proven itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI

from runtime import Model
from runtime.tuning import Tuning
from serve.batcher import SessionBrokenError
from serve.config import ServeConfig
from serve.errors import install_error_handlers
from serve.intake import Intake
from serve.life import Life
from serve.middleware import CountRequests
from serve.routes import health, predict, torchserve, v2
from serve.routes.docs import add_docs
from serve.routes.page import add_page
from serve.service import Service


def create_app(model: Model, tuning: Tuning, config: ServeConfig, life: Life) -> FastAPI:
    """The application for a model; `life` is what it shares with the server around it."""
    service = Service(model, tuning, config.max_wait_ms / 1000)
    app = FastAPI(
        title="Image classification",
        version=service.version,
        lifespan=_lifespan(service, life),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.service = service
    install_error_handlers(app, service.metrics)
    app.add_middleware(CountRequests, metrics=service.metrics, leaving=lambda: life.leaving)
    intake = Intake(service, config)
    routers = (predict.routes(intake), torchserve.routes(intake), v2.routes(intake, life), health.routes(service, life))
    for router in routers:
        app.include_router(router)
    add_docs(app)
    add_page(app)
    return app


def _lifespan(service: Service, life: Life) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(_work(service, life))
        yield
        worker.cancel()

    return lifespan


async def _work(service: Service, life: Life) -> None:
    try:
        await service.batcher.work()
    except SessionBrokenError as error:
        life.failure = error
