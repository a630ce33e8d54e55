"""The routes: each reads a request, asks the service, and gives the answer in the form its callers know."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi_swagger import patch_fastapi

from contract import ImageError
from contract.labels import TORCHSERVE_TOP_K, by_label
from contract.request_error import ErrorBody, RequestError
from runtime import Model
from serve.config import ServeConfig
from serve.errors import install_error_handlers
from serve.middleware import CountRequests
from serve.service import ImageAnswer, Service
from serve.upload import read_images


@dataclass(frozen=True, kw_only=True)
class BatchAnswer:
    """The answer for several pictures: one result each, in their order."""

    model: str
    version: str
    results: list[ImageAnswer | ErrorBody]


_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "properties": {"file": _FILES}, "required": ["file"]}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": _FORM,
            **{f"image/{kind}": _PICTURE for kind in ("jpeg", "png", "webp", "bmp")},
        },
    }
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The picture is damaged or cut short, or the form is malformed"},
    413: {"model": ErrorBody, "description": "Too many bytes or pixels"},
    415: {"model": ErrorBody, "description": "Not a JPEG, PNG, WebP or BMP"},
    422: {"model": ErrorBody, "description": "A parameter out of range, or a form without a file"},
    429: {"model": ErrorBody, "description": "Too many pictures wait; Retry-After says when to come again"},
}


def create_app(model: Model, config: ServeConfig) -> FastAPI:
    """The web application around a model that is loaded and has proven itself."""
    service = Service(model, config)
    app = FastAPI(
        title="Image classification",
        version=service.version,
        lifespan=_lifespan(service),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    patch_fastapi(app)  # /docs from this server's own files: it must work where there is no internet
    app.state.service = service
    install_error_handlers(app)
    app.add_middleware(CountRequests, metrics=service.metrics)
    _add_predict(app, service, config)
    _add_torchserve(app, service, config)
    _add_health(app, service)
    return app


def _lifespan(service: Service) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(service.batcher.work())
        yield
        worker.cancel()

    return lifespan


def _add_predict(app: FastAPI, service: Service, config: ServeConfig) -> None:
    @app.post("/predict", openapi_extra=_BODY, responses=_ERRORS)
    async def predict(
        request: Request, top_k: Annotated[int, Query(ge=1, le=1000)] = config.top_k
    ) -> ImageAnswer | BatchAnswer:
        """Name what is in one picture (raw bytes, or a form with one `file`) or in several (a form with many)."""
        results = await service.answer(await read_images(request, config), top_k, request.scope["timing"])
        if len(results) > 1:
            return BatchAnswer(
                model=service.name, version=service.version, results=[_alone(result) for result in results]
            )
        return _only(results)


def _alone(result: ImageAnswer | ImageError) -> ImageAnswer | ErrorBody:
    return RequestError.from_image_error(result).body if isinstance(result, ImageError) else result


def _only(results: list[ImageAnswer | ImageError]) -> ImageAnswer:
    (result,) = results
    if isinstance(result, ImageError):
        raise result
    return result


def _add_torchserve(app: FastAPI, service: Service, config: ServeConfig) -> None:
    @app.post("/predictions/{model}", openapi_extra=_BODY, responses={404: {"model": ErrorBody}, **_ERRORS})
    async def predictions(request: Request, model: str) -> dict[str, float]:
        """TorchServe's route and its image classifier's answer: label -> probability, the five best."""
        if model != service.name:
            raise RequestError(404, "model_not_found", f"no such model is served here; this is {service.name}")
        pictures = await read_images(request, config)
        if len(pictures) > 1:
            raise RequestError(422, "too_many_files", "this route answers for one picture; use /predict for several")
        answer = _only(await service.answer(pictures, TORCHSERVE_TOP_K, request.scope["timing"]))
        return by_label(answer.predictions)


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/ping")
    async def ping() -> dict[str, str]:
        """Healthy: the bundle is verified, its golden files agree, and the server listens only since then."""
        return {"status": "Healthy"}

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counters and histograms for Prometheus."""
        return Response(service.metrics.render(), media_type="text/plain; version=0.0.4")
