"""The web application: the routes of each habit around models that have proven themselves."""

import contextlib
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from serve import VERSION
from serve.auth import Keys
from serve.config import ServeConfig
from serve.dataplane import DataPlane
from serve.rest.early import EarlyRefusals
from serve.rest.errors import install_error_handlers
from serve.rest.middleware import AnswerHead, BoundMemory, Observe, RequireKeys
from serve.rest.openapi.completion import DocumentContext
from serve.rest.openapi.docs import add_docs
from serve.rest.routes import health, predict, repository, torchserve, v1, v2
from serve.rest.routes import models as served
from serve.rest.ui.page import add_page

HUNG_S = 5.0


def create_app(dataplane: DataPlane, keys: Keys) -> FastAPI:
    """The application for the models of `dataplane`; `state.early_refusals` is for the connections to ask."""
    registry, config = dataplane.registry, dataplane.config
    app = FastAPI(
        title="Image classification",
        version=VERSION,
        lifespan=_lifespan(dataplane),
        # Relative to where the document is read, so that it holds behind a proxy that strips a prefix.
        servers=[{"url": "."}],
        # They would lead away from TLS that ends at a proxy.
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    install_error_handlers(app)
    app.add_middleware(BoundMemory, budget=dataplane.memory)
    app.add_middleware(AnswerHead)
    _add_middleware(app, config, keys)
    # The first that a request meets.
    app.add_middleware(Observe, recorder=dataplane.recorder, health=registry.health)
    _add_routes(app, dataplane, keys)
    return app


def _add_routes(app: FastAPI, dataplane: DataPlane, keys: Keys) -> None:
    """The repository's only where somebody may use them."""
    registry, admin = dataplane.registry, keys.admin is not None
    taking = [predict.routes(dataplane), torchserve.routes(dataplane), v1.routes(dataplane)]
    taking.append(v2.routes(dataplane, registry.health, repository=admin))
    app.state.early_refusals = EarlyRefusals(dataplane, keys, [route for router in taking for route in router.routes])
    for router in (taking[0], served.routes(registry), *taking[1:]):
        app.include_router(router)
    if admin:
        app.include_router(repository.routes(registry))
    app.include_router(health.routes(registry.loader.metrics, registry.health))
    # Who needs a key to ask what is served is not told it by the examples either.
    add_docs(app, DocumentContext(keys=keys, model=None if keys.api else min(registry.table, default=None)))
    add_page(app)


def _add_middleware(app: FastAPI, config: ServeConfig, keys: Keys) -> None:
    """Who may ask, where that is limited."""
    if keys.api or keys.admin:
        app.add_middleware(RequireKeys, keys=keys)
    if config.cors_origins:
        methods, told = ["GET", "POST"], ["Retry-After", "Server-Timing", "X-Request-Id"]
        app.add_middleware(
            CORSMiddleware,
            allow_origins=config.allowed_origins,
            allow_methods=methods,
            allow_headers=["*"],
            expose_headers=told,
        )


def _lifespan(
    dataplane: DataPlane,
) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        dataplane.registry.start()
        yield
        await dataplane.registry.stop(HUNG_S)
        await dataplane.helper.close()
        dataplane.recorder.close()

    return lifespan
