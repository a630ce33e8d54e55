"""The web application: the routes of each habit around models that have proven themselves."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from serve import VERSION
from serve.auth import Keys, RequireKeys
from serve.budget import BoundBodies
from serve.config import ServeConfig
from serve.dataplane import Intake
from serve.errors import install_error_handlers
from serve.models.registry import Models
from serve.observability.record import Witness
from serve.rest.middleware import Observe
from serve.rest.openapi.completion import Facts
from serve.rest.openapi.docs import add_docs
from serve.rest.routes import health, predict, repository, torchserve, v2
from serve.rest.routes import models as served
from serve.rest.ui.page import add_page

HUNG_S = 5.0


def create_app(intake: Intake, keys: Keys, witnesses: Sequence[Witness] = ()) -> FastAPI:
    """The application for the intake's models."""
    models, config = intake.models, intake.config
    app = FastAPI(
        title="Image classification",
        version=VERSION,
        lifespan=_lifespan(models, witnesses),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    metrics = models.loader.metrics
    install_error_handlers(app, metrics)
    app.add_middleware(BoundBodies, budget=intake.bodies)
    _add_middleware(app, config, keys)
    # The first that a request meets.
    app.add_middleware(Observe, metrics=metrics, life=models.life, witnesses=witnesses)
    _add_routes(app, intake, keys)
    return app


def _add_routes(app: FastAPI, intake: Intake, keys: Keys) -> None:
    """The repository's only where somebody may use them."""
    models, admin = intake.models, keys.admin is not None
    app.include_router(predict.routes(intake))
    app.include_router(served.routes(models))
    app.include_router(torchserve.routes(intake))
    app.include_router(v2.routes(intake, models.life, repository=admin))
    if admin:
        app.include_router(repository.routes(models))
    app.include_router(health.routes(models.loader.metrics, models.life))
    # Who needs a key to ask what is served is not told it by the examples either.
    add_docs(app, Facts(keys=keys, model=None if keys.api else min(models.table, default=None)))
    add_page(app)


def _add_middleware(app: FastAPI, config: ServeConfig, keys: Keys) -> None:
    """Who may ask, where that is limited."""
    if keys.api or keys.admin:
        app.add_middleware(RequireKeys, keys=keys)
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
    models: Models, witnesses: Sequence[Witness]
) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        models.start()
        yield
        await models.stop(HUNG_S)
        for witness in witnesses:
            witness.close()

    return lifespan
