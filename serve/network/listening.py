"""Ports taken before the models are loaded, and as many open files as the system allows."""

import resource
import socket

from contract.errors import StartError

# Left alone, Linux holds megabytes of answers for each client who does not read; of this it makes twice as much.
SEND_BYTES = 1 << 16


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
