"""The Open Inference Protocol V2 over REST, with the extensions that Triton's clients know."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from contract import Manifest
from contract.graph import INPUT_NAME, Outputs
from contract.request_error import RequestError
from serve import VERSION
from serve.inference_protocol import HEADER, InferRequest, read_query, write_reply
from serve.intake import Intake
from serve.life import Life
from serve.service import Service
from serve.upload import read_body

PLATFORM = "onnx_onnxv1"
EXTENSIONS = ["binary_tensor_data", "classification", "statistics", "model_configuration"]
MODEL = "/v2/models/{model}"
VERSIONED = "/v2/models/{model}/versions/{version}"
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": InferRequest.model_json_schema()},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_ERROR = {"content": {"application/json": {"schema": {"properties": {"error": {"type": "string"}}}}}}
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {**_ERROR, "description": "The request does not keep to the protocol, or a picture can't be read"},
    404: {**_ERROR, "description": "No such model or version"},
    413: {**_ERROR, "description": "Too many bytes or pixels"},
    415: {**_ERROR, "description": "A compressed body, or a picture of an unknown type"},
    422: {**_ERROR, "description": "X-Request-Timeout-Ms is no number"},
    429: {**_ERROR, "description": "It would wait too long; Retry-After says when to come again"},
    504: {**_ERROR, "description": "It can't be answered in time"},
}


def routes(intake: Intake, life: Life) -> APIRouter:
    """The routes."""
    router, service = APIRouter(tags=["Open Inference Protocol V2"]), intake.service
    _add_server(router, service, life)
    _add_model(router, service, life)

    async def infer(request: Request, model: str, version: str | None = None) -> Response:
        """Outputs for pixels (UINT8 [N, size, size, 3]) or picture files (BYTES [N]), as JSON or binary."""
        require(service, model, version)
        intake.check_early(request)
        body = await read_body(request, intake.config)
        image = service.model.manifest.image
        query = await intake.work(
            request, lambda: read_query(body, request.headers.get(HEADER), image.size, intake.config.max_files)
        )
        outputs = Outputs(*(np.concatenate(values) for values in zip(*await intake.infer(request, query), strict=True)))
        labels = [entry.label for entry in service.model.manifest.classes]
        reply = await intake.work(
            request, lambda: write_reply(query, outputs, labels, service.model_name, service.version)
        )
        return Response(reply.body, headers=reply.headers)

    for path in (MODEL, VERSIONED):
        router.post(f"{path}/infer", openapi_extra=BODY, responses=ERRORS, response_class=Response)(infer)
    return router


def require(service: Service, model: str, version: str | None) -> None:
    """Raise `RequestError` 404 unless this model, in this version, is served here."""
    if model != service.model_name or version not in {None, service.version}:
        raise RequestError(404, "model_not_found", "no such model or version is served here")


def _add_server(router: APIRouter, service: Service, life: Life) -> None:
    @router.get("/v2")
    async def server() -> dict[str, Any]:
        """The server and what it can do beyond the protocol."""
        return {"name": "resnet-service", "version": VERSION, "extensions": EXTENSIONS}

    @router.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        """The event loop turns."""
        return {"live": True}

    @router.get("/v2/health/ready", responses={503: {"description": "The server is about to end"}})
    async def ready() -> JSONResponse:
        """New requests may come."""
        return JSONResponse({"live": True, "ready": life.ready}, 200 if life.ready else 503)

    @router.get("/v2/models/stats")
    async def all_statistics() -> dict[str, Any]:
        """Counts and nanoseconds since the start."""
        return {"model_stats": [service.statistics.describe(service.model_name, service.version)]}


def _add_model(router: APIRouter, service: Service, life: Life) -> None:
    async def metadata(model: str, version: str | None = None) -> dict[str, Any]:
        """The model's inputs and outputs."""
        require(service, model, version)
        return describe(service.model.manifest)

    async def ready(model: str, version: str | None = None) -> JSONResponse:
        """The model answers."""
        require(service, model, version)
        return JSONResponse({"name": model, "ready": life.ready}, 200 if life.ready else 503)

    async def configuration(model: str, version: str | None = None) -> dict[str, Any]:
        """The model's configuration, in Triton's terms."""
        require(service, model, version)
        return configure(service)

    async def statistics(model: str, version: str | None = None) -> dict[str, Any]:
        """Counts and nanoseconds since the start."""
        require(service, model, version)
        return {"model_stats": [service.statistics.describe(service.model_name, service.version)]}

    missing: dict[int | str, dict[str, Any]] = {404: ERRORS[404]}
    for path in (MODEL, VERSIONED):
        router.get(path, responses=missing)(metadata)
        router.get(f"{path}/ready", responses={**missing, 503: {"description": "Not ready"}})(ready)
        router.get(f"{path}/config", responses=missing)(configuration)
        router.get(f"{path}/stats", responses=missing)(statistics)


def describe(manifest: Manifest) -> dict[str, Any]:
    """Names, types and shapes; -1 is the batch."""
    side, classes = manifest.image.size, len(manifest.classes)
    per_class = [{"name": name, "datatype": "FP32", "shape": [-1, classes]} for name in ("logits", "probabilities")]
    activation = {"name": "activation_map", "datatype": "FP32", "shape": [-1, classes, -1, -1]}
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": PLATFORM,
        "inputs": [{"name": INPUT_NAME, "datatype": "UINT8", "shape": [-1, side, side, 3]}],
        "outputs": [*per_class, activation],
    }


def configure(service: Service) -> dict[str, Any]:
    """What perf_analyzer and model_analyzer ask for; dims are without the batch."""
    described = describe(service.model.manifest)
    kind = "KIND_CPU" if service.model.session.provider == "cpu" else "KIND_GPU"

    def entries(name: str) -> list[dict[str, Any]]:
        return [
            {"name": entry["name"], "data_type": f"TYPE_{entry['datatype']}", "dims": entry["shape"][1:]}
            for entry in described[name]
        ]

    return {
        "name": described["name"],
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": service.model.manifest.max_batch,
        "input": entries("inputs"),
        "output": entries("outputs"),
        "instance_group": [{"name": described["name"], "count": service.runners, "kind": kind}],
        "dynamic_batching": {"preferred_batch_size": service.batcher.times.buckets},
    }
