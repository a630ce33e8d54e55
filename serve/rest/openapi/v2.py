"""What /docs says of the Open Inference Protocol V2: its errors, its bodies, and an example of each."""

from typing import Any

from serve.rest.openapi.documents import (
    BINARY,
    JSON,
    MISSING,
    PICTURE,
    REFUSALS,
    V2,
    Refusal,
    Responses,
    leaving,
    reference,
    refusals,
)
from serve.rest.picture_request import TIMEOUT_HEADER
from serve.v2.codec import HEADER as LENGTH_HEADER
from serve.v2.responses import InferReply, ModelReady, ServerReady

MALFORMED = Refusal(
    "The request does not follow the protocol, or an image can't be read",
    "malformed_request",
    "outputs are ['colour']; expected each of ['logits', 'probabilities', 'activation_map'] at most once",
)
ENCODED = Refusal(
    "The body is compressed, or the image format is not supported",
    "unsupported_encoding",
    "the body is gzip-encoded; send it without Content-Encoding",
)
TIMED = Refusal(
    f"{TIMEOUT_HEADER} is not a valid number",
    "invalid_parameter",
    f"{TIMEOUT_HEADER} is not valid; expected whole milliseconds, at least 1",
)
NOT_FOUND = refusals(MISSING, V2)
ERRORS = refusals({**REFUSALS, 400: MALFORMED, 415: ENCODED, 422: TIMED}, V2)

FILES = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [PICTURE]}]}
BODY: dict[str, Any] = {
    "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in ("Timeout", "HeaderLength")],
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/InferRequest"}, "example": FILES},
            "application/octet-stream": {"schema": BINARY},
        },
    },
}
REPLY: Responses = {
    200: {
        "model": InferReply,
        "description": "The outputs. Outputs requested as binary follow the JSON; the header has the JSON's length",
        "headers": reference("headers", LENGTH_HEADER),
        "content": {"application/octet-stream": {"schema": BINARY}},
    }
}


READY = leaving(ServerReady, {"live": True, "ready": False})
MODEL_READY = NOT_FOUND | leaving(ModelReady, {"name": "leaf", "ready": False})
