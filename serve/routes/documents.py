"""What /docs says of every route that takes pictures."""

from typing import Any

from contract.request_error import ErrorBody

_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "properties": {"file": _FILES}, "required": ["file"]}}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": _FORM,
            **{f"image/{kind}": _PICTURE for kind in ("jpeg", "png", "webp", "bmp")},
        },
    }
}
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The picture is damaged or cut short, or the form is malformed"},
    413: {"model": ErrorBody, "description": "Too many bytes or pixels"},
    415: {"model": ErrorBody, "description": "Not a JPEG, PNG, WebP or BMP"},
    422: {"model": ErrorBody, "description": "A parameter out of range, or a form without a file"},
    429: {"model": ErrorBody, "description": "It would wait too long; Retry-After says when to come again"},
    504: {"model": ErrorBody, "description": "It can't be answered within X-Request-Timeout-Ms or the server's limit"},
}
