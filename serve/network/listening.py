"""Ports taken before the models are loaded, and as many open files as the system allows."""

import ctypes
import resource
import socket
import struct
import sys

from contract.errors import StartError

# Left alone, Linux holds megabytes of answers for each client who does not read; of this it makes twice as much.
SEND_BYTES = 1 << 16
SO_ATTACH_FILTER = 26
"""Of Linux; Python has no name for it."""
# A program of the Berkeley packet filter (https://docs.kernel.org/networking/filter.html), which sees TCP's header:
# load its flags; where SYN is among them, that is where a connection begins, take nothing of the packet; else take all.
_NO_BEGINNING = [(0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFF_FFFF)]


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


def turn_away(listener: socket.socket) -> bool:
    """Nobody new is connected; those who are, or nearly, can still be accepted. Returns whether the system does it.

    The system connects without asking, and resets whom nobody has accepted when the port is closed: a client would
    have sent its request, and hear nothing. One that is turned away tries again after a second, and is refused then.
    Elsewhere than on Linux, and where Linux does not let a user without rights, the microseconds between the last
    accepted and the close remain.
    """
    if sys.platform != "linux":
        return False
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_BEGINNING))
    where = struct.pack("HP", len(_NO_BEGINNING), ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, where)
    except PermissionError:
        return False
    return True
