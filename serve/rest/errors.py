"""Whatever an HTTP request fails with in, an answer in the error form out, without paths, stacks or class names."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from contract import ImageError
from contract.request_error import RequestError
from serve.errors import body_for

HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}


def refuse(request: Request, error: RequestError) -> JSONResponse:
    """The answer that says why; its code goes into the request's record."""
    request.scope["ending"].code = error.code
    return JSONResponse(body_for(request.url.path, error.code, error.message), error.status, error.headers)


def install_error_handlers(app: FastAPI) -> None:
    """Let every failure leave the server in the error form, without paths, stacks or class names."""

    def respond(
        request: Request, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> JSONResponse:
        return refuse(request, RequestError(status, code, message, headers))

    @app.exception_handler(RequestError)
    async def _request_error(request: Request, error: RequestError) -> JSONResponse:
        return refuse(request, error)

    @app.exception_handler(ImageError)
    async def _image_error(request: Request, error: ImageError) -> JSONResponse:
        return refuse(request, RequestError.from_image_error(error))

    @app.exception_handler(RequestValidationError)
    async def _bad_parameter(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = "; ".join(f"{entry['loc'][-1]}: {entry['msg']}" for entry in error.errors())
        return respond(request, 422, "invalid_parameter", problems)

    @app.exception_handler(HTTPException)
    async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
        code = HTTP_CODES.get(error.status_code, "http_error")
        return respond(request, error.status_code, code, str(error.detail), error.headers)

    @app.exception_handler(ClientDisconnect)
    async def _gone(request: Request, _: ClientDisconnect) -> JSONResponse:
        # Nobody reads this; the status is for the metrics, the number is nginx's.
        return respond(request, 499, "client_closed_request", "the client closed the connection")

    @app.exception_handler(Exception)
    async def _internal_error(request: Request, _: Exception) -> JSONResponse:
        # The stack is in the server's log: Starlette raises the exception again behind this answer, which passes by
        # the middleware that gives the others their id.
        headers = {"X-Request-Id": request.scope.get("request_id", "")}
        return respond(
            request,
            500,
            "internal_error",
            "the server failed on this request; the server's log has the reason",
            headers,
        )
