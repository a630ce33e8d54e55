"""The Open Inference Protocol V2 over REST, with the extensions that Triton's clients know."""

from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from contract.graph import Outputs
from serve.dataplane import DataPlane
from serve.health import Health
from serve.models.registry import ModelRegistry
from serve.rest.early import early_route
from serve.rest.openapi import v2 as documents
from serve.rest.picture_request import admit
from serve.v2.codec import HEADER, reply_size, size_of_json, write_reply
from serve.v2.elsewhere import from_plain, read_plainly
from serve.v2.metadata import configure, count, describe, describe_server
from serve.v2.responses import (
    ModelConfiguration,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    Statistics,
)

MODEL = "/v2/models/{model}"
VERSIONED = "/v2/models/{model}/versions/{version}"
COUNTED = "The statistics of each model"


def routes(dataplane: DataPlane, health: Health, *, repository: bool) -> APIRouter:
    """The routes; `repository` says whether there are those of the repository too."""
    router = APIRouter(tags=["Open Inference Protocol V2"], route_class=early_route(dataplane))
    _add_server(router, dataplane.registry, health, repository=repository)
    _add_model(router, dataplane.registry, health)

    async def infer(request: Request, model: str, version: str | None = None) -> Response:
        """Classify pixels (UINT8 [N, size, size, 3]) or image files (BYTES [N]); outputs are JSON or binary."""
        with admit(dataplane, request, model, version) as asked:
            body = await asked.read_body()
            manifest = asked.served.model.manifest
            length, most = request.headers.get(HEADER), dataplane.config.max_files
            size, json_size = manifest.image.size, size_of_json(body, length)
            said = await asked.parse(read_plainly, body, json_size, header_length=length, size=size, most=most)
            query = from_plain(*said, size)
            outputs = Outputs.join(await asked.infer(query))
            labels = [entry.label for entry in manifest.classes]
            asked.hold(reply_size(query, outputs))
            reply = await asked.work(lambda: write_reply(query, outputs, labels, *asked.served.id))
            return Response(reply.body, headers=reply.headers)

    responses = documents.ERRORS | documents.REPLY
    for path in (MODEL, VERSIONED):
        router.post(f"{path}/infer", openapi_extra=documents.BODY, responses=responses, response_class=Response)(infer)
    return router


def _add_server(router: APIRouter, registry: ModelRegistry, health: Health, *, repository: bool) -> None:
    @router.get("/v2", response_description="The server's name and extensions")
    async def server() -> ServerMetadata:
        """The server's name, version and protocol extensions."""
        return describe_server(repository=repository)

    @router.get("/v2/health/live", response_description="The server is running")
    async def live() -> ServerLive:
        """Liveness check: the server's event loop is running."""
        return ServerLive(live=True)

    ready_said = "The server accepts new requests"

    @router.get(
        "/v2/health/ready", response_model=ServerReady, response_description=ready_said, responses=documents.READY
    )
    async def ready() -> JSONResponse:
        """Readiness check: the server accepts new requests."""
        return JSONResponse({"live": True, "ready": health.ready}, 200 if health.ready else 503)

    @router.get("/v2/models/stats", response_description=COUNTED)
    async def all_statistics() -> Statistics:
        """Request counts and durations (in nanoseconds) since each model was loaded."""
        return count((served.id, served.statistics) for served in registry.served_models)


def _add_model(router: APIRouter, registry: ModelRegistry, health: Health) -> None:
    async def metadata(model: str, version: str | None = None) -> ModelMetadata:
        """The model's inputs and outputs."""
        return describe(registry.find(model, version).model.manifest, registry.versions(model))

    async def ready(model: str, version: str | None = None) -> JSONResponse:
        """Readiness check for one model."""
        registry.find(model, version)
        return JSONResponse({"name": model, "ready": health.ready}, 200 if health.ready else 503)

    async def configuration(model: str, version: str | None = None) -> ModelConfiguration:
        """The model's configuration in Triton's format."""
        return configure(*registry.find(model, version).settings)

    async def statistics(model: str, version: str | None = None) -> Statistics:
        """Request counts and durations (in nanoseconds) since the model was loaded."""
        served = registry.find(model, version)
        return count([(served.id, served.statistics)])

    for path in (MODEL, VERSIONED):
        get = partial(router.get, responses=documents.NOT_FOUND)
        get(path, response_description="The model's inputs and outputs")(metadata)
        get(f"{path}/config", response_description="As perf_analyzer and model_analyzer request it")(configuration)
        get(f"{path}/stats", response_description=COUNTED)(statistics)
        is_ready = partial(router.get, responses=documents.MODEL_READY, response_model=ModelReady)
        is_ready(f"{path}/ready", response_description="The model is ready")(ready)
