"""Whether the server should be asked, and what it has counted."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from serve.life import Life
from serve.service import Service


def routes(service: Service, life: Life) -> APIRouter:
    """The routes."""
    router = APIRouter()

    @router.get("/ping", responses={503: {"description": "The server is about to end"}})
    async def ping() -> JSONResponse:
        """Healthy: the bundle is verified, its golden files agree, and the server is not about to end."""
        return JSONResponse({"status": "Healthy" if life.ready else "Unhealthy"}, 200 if life.ready else 503)

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counters and histograms for Prometheus."""
        return Response(service.metrics.render(), media_type="text/plain; version=0.0.4")

    return router
