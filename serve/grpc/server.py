"""The gRPC port: a service in, a server in uvicorn's event loop out, for clients that keep up."""

import asyncio
import contextlib
import logging

import grpc
from grpc._cython import cygrpc
from grpc_health.v1 import health_pb2_grpc
from tritonclient.grpc.service_pb2_grpc import add_GRPCInferenceServiceServicer_to_server

from contract.errors import StartError
from serve.auth import Keys
from serve.dataplane import DataPlane
from serve.grpc.calls import CallInterceptor
from serve.grpc.health import HealthService
from serve.grpc.service import InferenceService

OPTIONS = {
    # Two servers on one port would each get some of the calls.
    "grpc.so_reuseport": 0,
    # Who says nothing is hung up on: after connecting, and without a call.
    "grpc.server_handshake_timeout_ms": 5_000,
    "grpc.max_connection_idle_ms": 300_000,
    # A peer whose machine has gone is found out, and the calls that it left waiting end.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    # Each call may hold a message that is not complete, and before we ask for it only so many bytes of that.
    "grpc.max_concurrent_streams": 128,
    "grpc.http2.lookahead_bytes": 65_536,
    "grpc.http2.bdp_probe": 0,
}


# It would log what clients send and how they leave; what fails here is logged by `calls.py`.
logging.getLogger("grpc").setLevel(logging.CRITICAL)


class MendedServer(cygrpc.AioServer):  # type: ignore[misc] # grpc ships no types
    """grpc's server (1.85) ends for good when a call's method is not UTF-8: it decodes the names of unregistered ones.

    All that the two `add_..._to_server` know are registered, so that the others need no name.
    """

    async def _request_call(self) -> None:
        """Refuse calls of unregistered methods, one after another, without end."""
        while True:
            state = await super()._request_call()
            context = cygrpc._ServicerContext(state, None, None, asyncio.get_running_loop())
            with contextlib.suppress(cygrpc.AbortError, cygrpc.ExecuteBatchError):
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


cygrpc.AioServer = MendedServer


class GrpcServer:
    """Answers calls at `address`, a host and a port."""

    def __init__(self, dataplane: DataPlane, keys: Keys, address: str) -> None:
        self._dataplane, self._keys, self.address = dataplane, keys, address
        self._calls = CallInterceptor(dataplane, keys)
        self._health = HealthService()
        self._server: grpc.aio.Server | None = None

    @property
    def banner(self) -> str:
        """What to tell people of it."""
        return f"gRPC: {self.address}"

    async def start(self) -> None:
        """Listen. Raises `StartError`."""
        options = {**OPTIONS, "grpc.max_receive_message_length": self._dataplane.config.max_body_bytes}
        self._server = grpc.aio.server(interceptors=[self._calls], options=list(options.items()))
        service = InferenceService(self._dataplane, repository=self._keys.admin is not None)
        add_GRPCInferenceServiceServicer_to_server(service, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        await self._health.start()
        self._listen(self._server)
        await self._server.start()

    def _listen(self, server: "grpc.aio.Server") -> None:
        certificate, key = self._dataplane.config.tls_certificate, self._dataplane.config.tls_key
        try:
            if certificate and key:
                pair = key.read_bytes(), certificate.read_bytes()
                server.add_secure_port(self.address, grpc.ssl_server_credentials([pair]))
            else:
                server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise StartError(f"can't listen on {self.address} for gRPC; choose another --grpc-port") from error

    async def leave(self) -> None:
        """Tell who asks, and who watches, that new calls should go elsewhere."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, seconds: float) -> None:
        """Take no more calls; those that were taken have so long."""
        if self._server:
            self._calls.hurry()
            await self._server.stop(seconds)
