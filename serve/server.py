"""The life of the server: take the port, load and prove the model, listen, answer until told to stop."""

import signal
import socket

import uvicorn

from contract import UserError
from contract.errors import StartError
from runtime import Model, load_model
from serve.app import create_app
from serve.config import ServeConfig


class _AnnouncingServer(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            print(f"Ready: http://{host}:{port}/predict (try it at http://{host}:{port}/docs)", flush=True)


def serve(config: ServeConfig) -> None:
    """Serve until SIGINT or SIGTERM. Raises `StartError` when the port or the model can't be had."""
    # uvicorn ends gracefully and then raises the signal again; for SIGTERM a graceful end is all that was asked.
    signal.signal(signal.SIGTERM, lambda *_: None)
    with bind(config.host, config.port) as listener:
        model = start_model(config)
        settings = uvicorn.Config(
            create_app(model, config),
            log_level="warning",
            timeout_graceful_shutdown=20,
            server_header=False,
        )
        _AnnouncingServer(settings).run(sockets=[listener])


def bind(host: str, port: int) -> socket.socket:
    """Take the port before the model is loaded, so that a port in use is told at once. It does not listen yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartError(f"can't listen on {host}:{port}: {error.strerror}; choose another PORT or HOST") from error
    return listener


def start_model(config: ServeConfig) -> Model:
    """Load the model and say what was proven. Raises `StartError`."""
    try:
        model = load_model(config.bundle, config.provider, config.threads, config.max_batch)
    except UserError as error:
        raise StartError(str(error)) from error
    manifest = model.manifest
    print(f"{manifest.name}, version {manifest.version}: {manifest.architecture}, {len(manifest.classes)} classes")
    print(
        f"Verified {len(manifest.files)} files; golden files agree on {config.provider} "
        f"(largest difference {100 * model.golden_disagreement:.1f} % of what is tolerated)"
    )
    return model
