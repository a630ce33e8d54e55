"""Bytes of a head in, the lines of it that the parser may see out."""

import re

# Only a line that is whole: the parser is given a head in whole lines.
UPGRADE = re.compile(rb"(?:^|(?<=\r\n))upgrade:[^\r\n]*\r\n", re.IGNORECASE)


def whole_lines(data: bytes) -> tuple[bytes, bytes]:
    """What of a head can be parsed by now, and the line that has only begun. What is no HTTP is parsed at once."""
    if not data[:1].isalpha():
        return data, b""
    head, end, _ = data.partition(b"\r\n\r\n")
    cut = len(data) if end else head.rfind(b"\r\n") + 2
    return (data[:cut], data[cut:]) if cut >= 2 else (b"", data)


def without_upgrade(data: bytes) -> bytes:
    """The lines of a head without the field Upgrade.

    Java's HttpClient asks for HTTP/2 in its first request; httptools then skips that request's body.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    ended = head + end[:2] if end else data
    return UPGRADE.sub(b"", ended) + end[2:] + rest
