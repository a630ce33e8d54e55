"""The health service that gRPC itself defines: Kubernetes' probes, Envoy and gRPC's own clients ask it."""

from typing import Any

from grpc_health.v1.health import aio
from grpc_health.v1.health_pb2 import HealthCheckResponse

from contract.request_error import RequestError
from serve.grpc.calls import SERVICE

NAME = SERVICE.strip("/")


class HealthService(aio.HealthServicer):  # type: ignore[misc] # grpc ships no types
    """Tells of the server as a whole, and by its name of the one service it has."""

    async def start(self) -> None:
        """New calls may come."""
        await self.set(NAME, HealthCheckResponse.SERVING)

    async def Check(self, request: Any, call: Any) -> Any:
        """Whether new calls may come. Raises `RequestError` 404."""
        if request.service not in ("", NAME):
            raise RequestError(404, "not_found", f"no such service; expected {NAME}, or no name for the server")
        return await super().Check(request, call)
