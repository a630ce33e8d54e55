"""A request that can't be answered. Both servers send the same error body: `{"error": {"code", "message"}}`."""

from collections.abc import Mapping
from dataclasses import dataclass

from contract.image import ImageError

IMAGE_STATUS = {"unreadable_image": 400, "image_too_large": 413, "unsupported_type": 415}


@dataclass(frozen=True, kw_only=True)
class ErrorDetail:
    """What went wrong: `code` is for programs, `message` is for people."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class ErrorBody:
    """The body of every error response."""

    error: ErrorDetail


class RequestError(Exception):
    """A request that can't be answered: an HTTP status, a code, a message and, where needed, headers."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers

    @classmethod
    def from_image_error(cls, error: ImageError) -> "RequestError":
        """The error for a request whose image can't be read."""
        return cls(IMAGE_STATUS[error.code], error.code, str(error))

    @property
    def body(self) -> ErrorBody:
        """The response body."""
        return error_body(self.code, self.message)


def error_body(code: str, message: str) -> ErrorBody:
    """The response body for an error."""
    return ErrorBody(error=ErrorDetail(code=code, message=message))
