"""Everything that can go wrong with a request: named, with a status, and in the form that its path has."""

from dataclasses import asdict
from typing import Any

from contract.request_error import RequestError, error_body


def body_for(path: str, code: str, message: str) -> dict[str, Any]:
    """The error form: `{"error": {"code", "message"}}`; the Open Inference Protocol has one of its own."""
    return {"error": message} if path.startswith("/v2") else asdict(error_body(code, message))


def deadline_exceeded() -> RequestError:
    """The answer for a request whose time is up, or will be before it could be answered."""
    message = "the answer would come after the request's deadline; try again later or allow more time"
    return RequestError(504, "deadline_exceeded", message)


def malformed_request(message: str) -> RequestError:
    """The error for a request that does not keep to the protocol; what it quotes may be long."""
    return RequestError(400, "malformed_request", message[:300])
