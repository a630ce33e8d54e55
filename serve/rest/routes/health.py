"""Whether the server should be asked, and what it has counted."""

from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from serve.health import Health
from serve.observability.metrics import ServerMetrics
from serve.rest.openapi.documents import Responses, answer


@dataclass(frozen=True, kw_only=True)
class HealthStatus:
    """Whether the server accepts requests."""

    status: Literal["Healthy", "Unhealthy"]


HEALTH: Responses = {
    **answer("The server accepts requests", {"status": "Healthy"}),
    503: {
        "model": HealthStatus,
        "description": "The server is shutting down",
        "content": {"application/json": {"example": {"status": "Unhealthy"}}},
    },
}
COUNTED = answer(
    "Metrics in Prometheus' text format",
    'resnet_service_requests_total{route="/predict",status="200"} 17.0\n',
    "text/plain",
)


def routes(metrics: ServerMetrics, health: Health) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Server"])

    @router.get("/ping", response_model=HealthStatus, responses=HEALTH)
    async def ping() -> JSONResponse:
        """Health check: the bundles are verified, their golden files agree, and the server is not shutting down."""
        return JSONResponse({"status": "Healthy" if health.ready else "Unhealthy"}, 200 if health.ready else 503)

    @router.get("/metrics", response_class=PlainTextResponse, responses=COUNTED)
    async def all_metrics() -> Response:
        """Metrics for Prometheus."""
        return Response(metrics.render(), media_type="text/plain; version=0.0.4")

    return router
