"""What /docs says of more than one route: errors in both forms, pictures that come in, headers; examples of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.request_error import ErrorBody
from serve.errors import body_for
from serve.rest.picture_request import TIMEOUT_HEADER
from serve.rest.upload import MAX_TEXT_FIELDS
from serve.v2.codec import HEADER as LENGTH_HEADER

Responses = dict[int | str, dict[str, Any]]
JSON = "application/json"
V2 = "/v2"
# A grey square, so that the example can be sent to any model.
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR42mOsYIAAJgaKGAAj0ACID/6ywQAAAABJRU5ErkJggg=="


@dataclass(frozen=True, kw_only=True)
class ProtocolError:
    """The body of every error response under /v2."""

    error: str


@dataclass(frozen=True)
class Refusal:
    """An answer that is an error: what it means, and a code and a message that it may have."""

    description: str
    code: str
    message: str

    def describe(self, path: str) -> dict[str, Any]:
        """In the error form that `path` has."""
        example = {JSON: {"example": body_for(path, self.code, self.message)}}
        return {"model": error_form(path), "description": self.description, "content": example}


def error_form(path: str) -> type[ErrorBody | ProtocolError]:
    """The body of errors there."""
    return ProtocolError if path.startswith(V2) else ErrorBody


def refusals(given: Mapping[int, Refusal], path: str = "/") -> Responses:
    """Answers that are errors, in the form that `path` has."""
    described: Responses = {status: refusal.describe(path) for status, refusal in given.items()}
    if 429 in described:
        described[429]["headers"] = reference("headers", "Retry-After")
    return described


def leaving(model: type, example: Any) -> Responses:
    """The answer of a route that tells the health, once the server has been told to end."""
    return {
        503: {"model": model, "description": "The server is shutting down", "content": {JSON: {"example": example}}}
    }


def reference(part: str, name: str) -> dict[str, Any]:
    """A header, a parameter or a response that the document holds once, by its name."""
    return {name: {"$ref": f"#/components/{part}/{name}"}}


PARAMETERS = {
    "Timeout": {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "description": "Time limit for this request, in milliseconds. It can only shorten the server's own limit",
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
        "example": 5000,
    },
    "HeaderLength": {
        "name": LENGTH_HEADER,
        "in": "header",
        "description": "Length of the JSON in bytes, if a binary tensor follows it",
        "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    },
}
HEADERS: dict[str, dict[str, Any]] = {
    "Server-Timing": {
        "description": "Milliseconds for decode, queue, inference and in total; the batch size; how the model is run",
        "required": True,
        "schema": {"type": "string"},
        "example": (
            'decode;dur=1.20, queue;dur=0.05, inference;dur=9.71, total;dur=11.43, batch;desc="1", mode;desc="cpu fp32"'
        ),
    },
    "X-Request-Id": {
        "description": "The request ID, as in the server's log: the one that the client sent, or a new one",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"},
        "example": "9f1c5c6b0e4b4d0f9c7b1f0a5d7e2c31",
    },
    "Retry-After": {
        "description": "When to try again, in seconds",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
        "example": 2,
    },
    LENGTH_HEADER: {
        "description": "Length of the JSON in bytes, if binary tensors follow it",
        "schema": {"type": "integer", "minimum": 1},
        "example": 152,
    },
    "WWW-Authenticate": {
        "description": "How to send the key",
        "required": True,
        "schema": {"const": "Bearer"},
        "example": "Bearer",
    },
}

BINARY = {"type": "string", "format": "binary"}
TIMEOUT = {"$ref": "#/components/parameters/Timeout"}
SENT = (
    "A form, for example with `curl --form file=@leaf.jpg`; or the bytes of the image file, for example with "
    "`curl --header 'Content-Type: image/jpeg' --data-binary @leaf.jpg`"
)


def pictures(most: int = 1) -> dict[str, Any]:
    """The body of a route for pictures, of which a form may hold so many."""
    files = {"type": "array", "items": BINARY, "minItems": 1, "maxItems": most}
    form = {
        "type": "object",
        "properties": {"file": files},
        "required": ["file"],
        "maxProperties": 1 + MAX_TEXT_FIELDS,
    }
    content = {
        "multipart/form-data": {"schema": form, "encoding": {"file": {"contentType": "image/jpeg"}}},
        **{f"image/{kind}": {"schema": BINARY} for kind in ("jpeg", "png", "webp", "heic", "avif", "bmp")},
    }
    return {"parameters": [TIMEOUT], "requestBody": {"required": True, "description": SENT, "content": content}}


MISSING = {
    404: Refusal(
        "No such model or version",
        "model_not_found",
        "no such model or version is being served; GET /models lists them",
    )
}
BUSY = {
    429: Refusal(
        "The server is overloaded; Retry-After says when to try again",
        "overloaded",
        "the server is overloaded: a new image would wait 2.6 s; try again in 2 s",
    ),
    504: Refusal(
        f"The answer can't be ready within {TIMEOUT_HEADER} or the server's time limit",
        "deadline_exceeded",
        "the answer would come after the request's deadline; try again later or allow more time",
    ),
}
REFUSALS = {
    **MISSING,
    **BUSY,
    400: Refusal(
        "The image is damaged or truncated, or the form is malformed",
        "unreadable_image",
        "the image is damaged or truncated; expected a complete file",
    ),
    413: Refusal(
        "Too many bytes or pixels",
        "request_too_large",
        "the request is larger than 20 MB; send fewer or smaller images",
    ),
    415: Refusal(
        "Not a JPEG, PNG, WebP, HEIC, AVIF or BMP",
        "unsupported_type",
        "this is PDF; expected JPEG, PNG, WebP, HEIC, AVIF or BMP",
    ),
    422: Refusal(
        "A parameter is out of range, or the form has no file",
        "missing_file",
        "the form has no file; send the image as a file field named file",
    ),
}
