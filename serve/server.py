"""The life of the server: take the port, load and prove the model, listen, answer until told to stop, then drain."""

import logging
import os
import resource
import signal
import socket
import sys
import time
import warnings
from types import FrameType

import uvicorn
from PIL.Image import DecompressionBombWarning

from contract import UserError
from contract.errors import StartError
from runtime import Model
from runtime.tuning import Tuning, Wish, tuned_model
from serve.app import create_app
from serve.config import ServeConfig
from serve.connection import GuardedProtocol
from serve.life import Life

SHUTDOWN_S = 20


def serve(config: ServeConfig) -> None:
    """Serve until SIGINT or SIGTERM. Raises `StartError` when the port or the model can't be had."""
    raise_file_limit()
    # Pillow would warn of pictures that the limits of `contract.image`, which are lower, refuse.
    warnings.simplefilter("ignore", DecompressionBombWarning)
    # Its parser would log every malformed form; who sent it is told.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    with bind(config.host, config.port) as listener:
        model, tuning = start_model(config)
        life = Life()
        settings = configure(model, tuning, config, life)
        # uvicorn ends gracefully and then raises the signal again; for SIGTERM a graceful end is all that was asked.
        signal.signal(signal.SIGTERM, lambda *_: None)
        DrainingServer(settings, life, config.drain_ms / 1000).run(sockets=[listener])
    if life.hung:  # Python would wait for the thread that runs it
        print("error: a batch does not end; ending without it", file=sys.stderr, flush=True)
        os._exit(1)
    if life.failure:
        raise UserError(f"{life.failure}; the server has ended, start it again")


def configure(model: Model, tuning: Tuning, config: ServeConfig, life: Life) -> uvicorn.Config:
    """The application and how uvicorn is to run it. Raises `StartError` when the key or the certificate is unusable."""
    try:
        settings = uvicorn.Config(
            create_app(model, tuning, config, life),
            http=GuardedProtocol,
            ws="none",
            log_level="error",
            timeout_graceful_shutdown=SHUTDOWN_S,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=config.tls_certificate,
            ssl_keyfile=config.tls_key,
        )
        settings.load()
    except UserError as error:
        raise StartError(str(error)) from error
    except OSError as error:  # ssl.SSLError is one
        raise StartError(f"{config.tls_certificate} and {config.tls_key} can't be used ({error})") from error
    return settings


class DrainingServer(uvicorn.Server):
    """Says where it listens, once it does; on SIGTERM stops being ready at once, and listening only after a while."""

    def __init__(self, config: uvicorn.Config, life: Life, drain_s: float) -> None:
        super().__init__(config)
        self._life, self._drain_s = life, drain_s
        self._end = float("inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            base = f"{'https' if self.config.is_ssl else 'http'}://{host}:{port}"
            print(f"Ready: {base}/predict (try it at {base}/)", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first SIGTERM begins the draining; a second one, or SIGINT, ends it."""
        if sig == signal.SIGTERM and not self._life.leaving:
            self._life.leaving = True
            self._end = time.monotonic() + self._drain_s
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Whether to end."""
        over = time.monotonic() >= self._end or self._life.failure is not None
        return await super().on_tick(counter) or over


def raise_file_limit() -> None:
    """Each connection is an open file; a thousand idle ones must not use them up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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


def start_model(config: ServeConfig) -> tuple[Model, Tuning]:
    """Load the model, find out how to run it, and say what was proven. Raises `StartError`."""
    wish = Wish(provider=config.provider, threads=config.threads, runners=config.runners, max_batch=config.max_batch)
    try:
        model, tuning, known = tuned_model(config.bundle, wish)
    except UserError as error:
        raise StartError(str(error)) from error
    manifest = model.manifest
    print(f"{manifest.name}, version {manifest.version}: {manifest.architecture}, {len(manifest.classes)} classes")
    print(
        f"Verified {len(manifest.files)} files; golden files agree on {config.provider} "
        f"(largest difference {100 * model.golden_disagreement:.1f} % of what is tolerated)"
    )
    print(f"{tuning.summary} ({'measured at an earlier start' if known else 'measured now'})")
    return model, tuning
