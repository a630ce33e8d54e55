"""A request's body in, image files as bytes out; nothing beyond the limits is ever read."""

import re
from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from contract.image.signature import SUPPORTED, sniff_format
from contract.request_error import RequestError
from serve.config import ServeConfig

MAX_TEXT_FIELDS = 8


async def read_images(request: Request, config: ServeConfig) -> list[bytes]:
    """The pictures of a request: every file part of a form, or the raw body. Raises `RequestError`."""
    content_type = request.headers.get("content-type", "").lower()
    if content_type.startswith("application/json"):
        raise RequestError(415, "unsupported_type", "the body is JSON; send the image's bytes, or a form with a file")
    if content_type.startswith("multipart/form-data"):
        return await _read_form(request, _chunks(request, config), config)
    return [await read_body(request, config)]


async def read_body(request: Request, config: ServeConfig) -> bytes:
    """The whole body. Raises `RequestError`."""
    return await _join(_chunks(request, config))


async def read_small_body(request: Request, limit: int) -> bytes:
    """The whole body, of a request that needs no pictures. Raises `RequestError`."""
    return await _join(_limited(request, limit))


async def _join(chunks: AsyncGenerator[bytes, None]) -> bytes:
    body = bytearray()  # a list of small pieces would stay in memory long after they are gone
    async for chunk in chunks:
        body += chunk
    return bytes(body)


def _chunks(request: Request, config: ServeConfig) -> AsyncGenerator[bytes, None]:
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise RequestError(
            415, "unsupported_encoding", f"the body is {encoding[:20]}-encoded; send it without Content-Encoding"
        )
    return _limited(request, config.max_body_bytes)


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body's chunks, up to `limit` bytes: the announced length is checked first, then what really comes."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        yield chunk


def _too_large(limit: int) -> RequestError:
    message = f"the request is larger than {limit / 1e6:g} MB; send fewer or smaller images"
    # The rest of the body is not read, so the connection can't be used again.
    return RequestError(413, "request_too_large", message, {"Connection": "close"})


class _FormParser(MultiPartParser):
    """Takes every part for a file; which of them are is judged once they are here."""

    # Starlette would write larger files to the disk; the body limit bounds what is held here.
    spool_max_size = 1 << 30
    ended = False

    def on_headers_finished(self) -> None:
        """RFC 7578 lets a file have no name, and Java sends arrays of bytes without one."""
        part = self._current_part
        disposition = part.content_disposition
        if disposition and not re.search(rb"filename\s*=", disposition):
            # A name in RFC 5987's form, as Python sends those that are not ASCII, is none to the parser.
            other_form = b"; filename=*" if b"filename*" in disposition else b"; filename="
            part.content_disposition = disposition + other_form
        super().on_headers_finished()

    def on_end(self) -> None:
        """The last boundary has come."""
        self.ended = True


async def _read_form(request: Request, stream: AsyncGenerator[bytes, None], config: ServeConfig) -> list[bytes]:
    parser = _FormParser(request.headers, stream, max_files=config.max_files + MAX_TEXT_FIELDS)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeError) as error:
        message = getattr(error, "message", "its Content-Type has no boundary, or a charset that is none")
        raise _malformed_form(message) from error
    if not parser.ended:
        raise _malformed_form("its last boundary is missing, so it was cut off; send it again")
    parts = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    files = [data for part in parts if _is_file(part, data := await part.read())]
    if not files:
        raise RequestError(422, "missing_file", "the form has no file; send the image as a file field named file")
    if len(files) > config.max_files:
        raise _malformed_form(f"it has {len(files)} files; expected at most {config.max_files}")
    return files


def _is_file(part: UploadFile, data: bytes) -> bool:
    """Whether a part is a file or a field of text: by its name, by its type, or by how it begins."""
    if part.filename or not (part.content_type or "text/plain").lower().startswith("text/"):
        return True
    return sniff_format(data) in SUPPORTED and not _is_text(data)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _malformed_form(problem: str) -> RequestError:
    return RequestError(400, "malformed_form", f"the form can't be read: {problem}")
