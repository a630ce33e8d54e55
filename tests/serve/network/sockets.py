"""What a client without a library says and hears."""

import json
import socket
from urllib.parse import urlsplit

from tests.commands import RunningServer

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\n"


def connect(server: RunningServer) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port or 80), timeout=20)


def everything(connection: socket.socket) -> bytes:
    """What the server says until it hangs up."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def error_in(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"]
