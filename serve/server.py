"""The life of the server: take the port, load and prove the model, listen, answer until told to stop, then drain."""

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from PIL.Image import DecompressionBombWarning

from contract import UserError
from contract.errors import StartError
from serve.auth import Keys
from serve.config import ServeConfig
from serve.dataplane import DataPlane
from serve.health import Health
from serve.models.loader import Loader
from serve.models.registry import ModelRegistry
from serve.network.connection import GuardedProtocol
from serve.network.memory import give_back_large_blocks
from serve.observability.access_log import AccessLog
from serve.observability.record import RequestListener
from serve.observability.tracing import start_tracing
from serve.rest.app import create_app

if TYPE_CHECKING:
    from serve.grpc.server import GrpcServer

SHUTDOWN_S = 20
# Left alone, Linux holds megabytes of answers for each client who does not read; of this it makes twice as much.
SEND_BYTES = 1 << 16


def serve(config: ServeConfig) -> None:
    """Serve until SIGINT or SIGTERM. Raises `StartError` when the port or the model can't be had."""
    give_back_large_blocks()
    raise_file_limit()
    # Pillow would warn of pictures that the limits of `contract.image`, which are lower, refuse.
    warnings.simplefilter("ignore", DecompressionBombWarning)
    # Its parser would log every malformed form; who sent it is told.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    keys, listeners = prepare(config)
    with bind(config.host, config.port) as listener, reserve(config) as reserved:
        health = Health()
        registry = start_models(config, health)
        dataplane = DataPlane(registry, config)
        settings = configure(create_app(dataplane, keys, listeners), config)
        grpc = create_grpc(dataplane, keys, listeners, reserved) if reserved else None
        # uvicorn ends gracefully and then raises the signal again; for SIGTERM a graceful end is all that was asked.
        signal.signal(signal.SIGTERM, lambda *_: None)
        DrainingServer(settings, registry, config.drain_ms / 1000, grpc).run(sockets=[listener])
    if health.hung:  # Python would wait for the thread that runs it
        print("error: a batch does not finish; the server stops without waiting for it", file=sys.stderr, flush=True)
        os._exit(1)
    if health.failure:
        raise UserError(f"{health.failure}; the server has stopped: start it again")


def prepare(config: ServeConfig) -> tuple[Keys, Sequence[RequestListener]]:
    """Who may ask, and who is told of it: before the models are loaded, as that takes long. Raises `StartError`."""
    try:
        keys, tracing = Keys.read(config.api_key_file, config.admin_token_file), start_tracing()
    except UserError as error:
        raise StartError(str(error)) from error
    log = AccessLog() if config.access_log else None
    return keys, [listener for listener in (log, tracing) if listener]


def configure(app: FastAPI, config: ServeConfig) -> uvicorn.Config:
    """How uvicorn is to run the application. Raises `StartError` when the certificate is unusable."""
    try:
        settings = uvicorn.Config(
            app,
            http=GuardedProtocol,
            loop="serve.network.event_loop:GuardedLoop",
            ws="none",
            log_level="error",
            timeout_graceful_shutdown=SHUTDOWN_S,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=config.tls_certificate,
            ssl_keyfile=config.tls_key,
        )
        settings.load()
    except OSError as error:  # ssl.SSLError is one
        raise StartError(f"{config.tls_certificate} and {config.tls_key} can't be used ({error})") from error
    return settings


class DrainingServer(uvicorn.Server):
    """Says where it listens, once it does; on SIGTERM stops being ready at once, and listening only after a while.

    On SIGHUP the folder of bundles is read anew.
    """

    def __init__(
        self, config: uvicorn.Config, registry: ModelRegistry, drain_s: float, grpc: "GrpcServer | None" = None
    ) -> None:
        super().__init__(config)
        self._grpc = grpc
        self._registry, self._health, self._drain_s = registry, registry.health, drain_s
        self._reloading: asyncio.Task[None] | None = None
        self._end = float("inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)
            if self._grpc:
                await self._grpc.start()
                print(f"gRPC: {self._grpc.address}", flush=True)
            base = f"{'https' if self.config.is_ssl else 'http'}://{host}:{port}"
            print(f"Ready: {base}/predict (try it at {base}/)", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Both ports stop listening; what was accepted on either has the same while."""
        if self._grpc:
            # uvicorn waits for these tasks, and cancels them after `SHUTDOWN_S` with a word on stderr.
            stopping = asyncio.create_task(self._grpc.stop(SHUTDOWN_S - 1))
            self.server_state.tasks.add(stopping)
            stopping.add_done_callback(self.server_state.tasks.discard)
        await super().shutdown(sockets)

    def _reload(self) -> None:
        self._reloading = asyncio.ensure_future(self._read_anew())

    async def _read_anew(self) -> None:
        try:
            await self._registry.reload()
        except UserError as error:
            print(f"error: {error}; the server continues with the models it had before", file=sys.stderr, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first SIGTERM begins the draining; a second one, or SIGINT, ends it."""
        if sig == signal.SIGTERM and not self._health.leaving:
            self._health.leaving = True
            self._end = time.monotonic() + self._drain_s
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Whether to end."""
        over = time.monotonic() >= self._end or self._health.failure is not None
        return await super().on_tick(counter) or over


def raise_file_limit() -> None:
    """Each connection is an open file; a thousand idle ones must not use them up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def bind(host: str, port: int, option: str = "PORT") -> socket.socket:
    """Take the port before the model is loaded, so that a port in use is told at once. It does not listen yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartError(f"can't listen on {host}:{port}: {error.strerror}; choose another {option} or HOST") from error
    return listener


def reserve(config: ServeConfig) -> AbstractContextManager[socket.socket | None]:
    """The port for gRPC, if it is wanted; gRPC shares it, as it takes addresses and no sockets."""
    return nullcontext() if config.grpc_port is None else bind(config.host, config.grpc_port, "--grpc-port")


def create_grpc(
    dataplane: DataPlane, keys: Keys, listeners: Sequence[RequestListener], reserved: socket.socket
) -> "GrpcServer":
    """The server for gRPC, whose packages are loaded only here."""
    # Its C core would write of every handshake that fails, which any scanner can cause; read when it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from serve.grpc.server import GrpcServer

    host, port = reserved.getsockname()[:2]
    return GrpcServer(dataplane, keys, listeners, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def start_models(config: ServeConfig, health: Health) -> ModelRegistry:
    """Load what is to be served, and say what was proven. Raises `StartError`."""
    registry = ModelRegistry(config.repository, Loader(config), health)
    try:
        registry.load_all()
    except UserError as error:
        raise StartError(str(error)) from error
    return registry
