"""Whether the server should be asked, and what it has counted."""

from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from serve.health import Health
from serve.observability.metrics import ServerMetrics
from serve.rest.openapi.documents import leaving


@dataclass(frozen=True, kw_only=True)
class HealthStatus:
    """Whether the server accepts requests."""

    status: Literal["Healthy", "Unhealthy"]


HEALTH = leaving(HealthStatus, {"status": "Unhealthy"})


def routes(metrics: ServerMetrics, health: Health) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Server"])

    @router.get(
        "/ping", response_model=HealthStatus, response_description="The server accepts requests", responses=HEALTH
    )
    async def ping() -> JSONResponse:
        """Health check: the bundles are verified, their golden files agree, and the server is not shutting down."""
        return JSONResponse({"status": "Healthy" if health.ready else "Unhealthy"}, 200 if health.ready else 503)

    @router.get("/metrics", response_class=PlainTextResponse, response_description="Prometheus' text format")
    async def all_metrics() -> Response:
        """Metrics for Prometheus."""
        return Response(metrics.render(), media_type="text/plain; version=0.0.4")

    return router
