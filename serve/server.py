"""The life of the server: take the port, load and prove the model, listen, answer until told to stop, then drain."""

import logging
import math
import os
import signal
import socket
import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from PIL.Image import DecompressionBombWarning

from contract import UserError
from contract.errors import StartError
from runtime.machine import memory_limit, resident_bytes
from serve.auth import Keys
from serve.budget import OVERHEAD, MemoryBudget
from serve.config import ServeConfig
from serve.dataplane import DataPlane
from serve.health import Health
from serve.models.loader import Loader
from serve.models.registry import ModelRegistry
from serve.models.repository import open_repository
from serve.network.crowd import crowd_protocol
from serve.network.draining import SHUTDOWN_S, DrainingServer
from serve.network.listening import bind, raise_file_limit
from serve.network.memory import give_back_large_blocks, keep_out_of_collections
from serve.network.refused import RefusedRequest
from serve.observability.access_log import AccessLog
from serve.observability.record import Recorder, RequestListener, RequestRecord, choose_id
from serve.observability.timing import Timing
from serve.observability.tracing import start_tracing
from serve.rest.app import create_app
from serve.saying import say, say_what_is_logged

if TYPE_CHECKING:
    from serve.grpc.server import GrpcServer


def serve(config: ServeConfig) -> None:
    """Serve until SIGINT or SIGTERM. Raises `StartError` when the port or the model can't be had."""
    config = config.tuned()
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
        keep_within_container(config, registry.loader.memory)
        dataplane = DataPlane(registry, config, listeners)
        settings = configure(create_app(dataplane, keys), dataplane)
        grpc = create_grpc(dataplane, keys, reserved) if reserved else None
        # uvicorn ends gracefully and then raises the signal again; for SIGTERM a graceful end is all that was asked.
        signal.signal(signal.SIGTERM, lambda *_: None)
        others = [grpc] if grpc else []
        server = DrainingServer(settings, health, config.drain_ms / 1000, partial(read_anew, registry), others)
        keep_out_of_collections()
        server.run(sockets=[listener])
    if health.hung:  # Python would wait for the thread that runs it
        say("error: a batch does not finish; the server stops without waiting for it", sys.stderr)
        os._exit(1)
    if health.failure:
        raise UserError(f"{health.failure}; the server has stopped: start it again")


def keep_within_container(config: ServeConfig, budget: MemoryBudget) -> None:
    """Requests get no more memory than the container has left beside the models. Raises `StartError` for too little."""
    limit, wanted = memory_limit(), budget.limit
    if limit is None:
        return
    taken, least = resident_bytes(), config.least_memory_bytes
    if not budget.fit(limit - taken, least):
        needed = math.ceil((taken + least * OVERHEAD) / 1e6)
        raise StartError(
            f"this container may take {limit / 1e6:.0f} MB of memory, of which the loaded models take "
            f"{taken / 1e6:.0f}; expected at least {needed} MB, or a lower --max-body-mb"
        )
    if budget.limit < wanted:
        say(f"Requests get {budget.limit / 1e6:.0f} MB of memory, as this container may take {limit / 1e6:.0f} in all")


def prepare(config: ServeConfig) -> tuple[Keys, Sequence[RequestListener]]:
    """Who may ask, and who is told of it: before the models are loaded, as that takes long. Raises `StartError`."""
    try:
        keys, tracing = Keys.read(config.api_key_file, config.admin_token_file), start_tracing()
    except UserError as error:
        raise StartError(str(error)) from error
    log = AccessLog() if config.access_log else None
    return keys, [listener for listener in (log, tracing) if listener]


def configure(app: FastAPI, dataplane: DataPlane) -> uvicorn.Config:
    """How uvicorn is to run the application. Raises `StartError` when the certificate is unusable."""
    config = dataplane.config
    try:
        settings = uvicorn.Config(
            app,
            http=crowd_protocol(
                partial(record_refusal, dataplane.recorder), app.state.early_refusals, lambda: dataplane.is_crowded
            ),
            loop="serve.network.event_loop:GuardedLoop",
            ws="none",
            log_level="error",
            timeout_graceful_shutdown=SHUTDOWN_S,
            timeout_keep_alive=config.keep_alive_s,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=config.tls_certificate,
            ssl_keyfile=config.tls_key,
        )
        settings.load()
        say_what_is_logged(logging.getLogger("uvicorn"))
    except OSError as error:  # ssl.SSLError is one
        raise StartError(f"{config.tls_certificate} and {config.tls_key} can't be used ({error})") from error
    return settings


def reserve(config: ServeConfig) -> AbstractContextManager[socket.socket | None]:
    """The port for gRPC, if it is wanted; gRPC shares it, as it takes addresses and no sockets."""
    return nullcontext() if config.grpc_port is None else bind(config.host, config.grpc_port, "--grpc-port")


def create_grpc(dataplane: DataPlane, keys: Keys, reserved: socket.socket) -> "GrpcServer":
    """The server for gRPC, whose packages are loaded only here."""
    # Its C core would write of every handshake that fails, which any scanner can cause; read when it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from serve.grpc.server import GrpcServer

    host, port = reserved.getsockname()[:2]
    return GrpcServer(dataplane, keys, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def record_refusal(recorder: Recorder, refused: RefusedRequest) -> str:
    """Record a request that no route has seen; returns its id."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in refused.headers}
    record = RequestRecord(
        request_id=choose_id(headers),
        client=refused.client,
        method="",
        route=None,
        status=refused.status,
        code=refused.code,
        timing=Timing(started=refused.began),
        headers=headers,
    )
    recorder.end(record)
    return record.request_id


async def read_anew(registry: ModelRegistry) -> None:
    """Serve what is in the folder now; where that can't be done, go on as before and say why."""
    try:
        await registry.reload()
    except UserError as error:
        say(f"error: {error}; the server continues with the models it had before", sys.stderr)


def start_models(config: ServeConfig, health: Health) -> ModelRegistry:
    """Load what is to be served, and say what was proven. Raises `StartError`."""
    registry = ModelRegistry(open_repository(config), Loader(config), health)
    try:
        registry.load_all()
    except UserError as error:
        raise StartError(str(error)) from error
    return registry
