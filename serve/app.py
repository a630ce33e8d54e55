"""The web application: the routes of each habit around one model that has proven itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from runtime import Model
from runtime.tuning import Tuning
from serve.access_log import AccessLog
from serve.api_key import RequireKey, read_key
from serve.config import ServeConfig
from serve.errors import install_error_handlers
from serve.intake import Intake
from serve.life import Life
from serve.middleware import Observe
from serve.routes import health, predict, torchserve, v2
from serve.routes.docs import add_docs
from serve.routes.page import add_page
from serve.service import Service

HUNG_S = 5.0


def create_app(model: Model, tuning: Tuning, config: ServeConfig, life: Life) -> FastAPI:
    """The application for a model; `life` is what it shares with the server around it. Raises `UserError`."""
    service = Service(model, tuning, config.max_wait_ms / 1000)
    log = AccessLog() if config.access_log else None
    app = FastAPI(
        title="Image classification",
        version=service.version,
        lifespan=_lifespan(service, life, log),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.service = service
    install_error_handlers(app, service.metrics)
    _add_middleware(app, config)
    app.add_middleware(Observe, metrics=service.metrics, life=life, log=log)  # the first that a request meets
    intake = Intake(service, config)
    routers = (predict.routes(intake), torchserve.routes(intake), v2.routes(intake, life), health.routes(service, life))
    for router in routers:
        app.include_router(router)
    add_docs(app)
    add_page(app)
    return app


def _add_middleware(app: FastAPI, config: ServeConfig) -> None:
    """Who may ask, where that is limited. Raises `UserError` for a key that can't be used."""
    if config.api_key_file:
        app.add_middleware(RequireKey, key=read_key(config.api_key_file))
    if config.cors_origins:
        methods, told = ["GET", "POST"], ["Retry-After", "Server-Timing", "X-Request-Id"]
        app.add_middleware(
            CORSMiddleware,
            allow_origins=config.cors_origins,
            allow_methods=methods,
            allow_headers=["*"],
            expose_headers=told,
        )


def _lifespan(
    service: Service, life: Life, log: AccessLog | None
) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(_work(service, life))
        yield
        life.hung = not await service.batcher.finish(HUNG_S)
        worker.cancel()
        if log:
            log.close()

    return lifespan


async def _work(service: Service, life: Life) -> None:
    try:
        await service.batcher.work()
    except Exception as error:  # nothing is answered any more, whatever it was: the server ends and says why
        life.failure = error
