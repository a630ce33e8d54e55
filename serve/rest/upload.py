"""A request's body in, image files as bytes out; nothing beyond the limits is ever read."""

from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

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
    return b"".join([chunk async for chunk in _chunks(request, config)])


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
    # Starlette would write larger files to the disk; the body limit bounds what is held here.
    spool_max_size = 1 << 30

    def on_headers_finished(self) -> None:
        """Take a picture without a file name, as RFC 7578 allows it, for the file that its type says it is."""
        part = self._current_part
        kinds = [value.lower() for name, value in part.item_headers if name == b"content-type"]
        if part.content_disposition and any(kind.startswith(b"image/") for kind in kinds):
            part.content_disposition += b'; filename=""'
        super().on_headers_finished()


async def _read_form(request: Request, stream: AsyncGenerator[bytes, None], config: ServeConfig) -> list[bytes]:
    parser = _FormParser(request.headers, stream, max_files=config.max_files, max_fields=MAX_TEXT_FIELDS)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        message = getattr(error, "message", "its Content-Type has no boundary")
        raise RequestError(400, "malformed_form", f"the form can't be read: {message}") from error
    files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    if not files:
        raise RequestError(422, "missing_file", "the form has no file; send the image as a file field named file")
    return [await part.read() for part in files]
