"""Whatever an HTTP request fails with in, an answer in the error form out, without paths, stacks or class names."""

from fastapi import FastAPI, Request, Response
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

    async def answer(request: Request, error: Exception) -> Response:
        allowed = methods(error) if isinstance(error, HTTPException) and error.status_code == 405 else None
        if allowed and request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed})
        return refuse(request, explain(request, error))

    for kind in (RequestError, ImageError, RequestValidationError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(kind, answer)


def methods(error: HTTPException) -> str:
    """What may be asked where this was not, with the methods that are answered everywhere."""
    named = (error.headers or {}).get("Allow", "GET").split(", ")
    return ", ".join([*named, *(["HEAD"] if "GET" in named else []), "OPTIONS"])


def explain(request: Request, error: Exception) -> RequestError:
    """What an exception is to who asked."""
    match error:
        case RequestError():
            return error
        case ImageError():
            return RequestError.from_image_error(error)
        case RequestValidationError():
            problems = "; ".join(f"{entry['loc'][-1]}: {entry['msg']}" for entry in error.errors())
            return RequestError(422, "invalid_parameter", problems)
        case HTTPException():
            headers = {"Allow": methods(error)} if error.status_code == 405 else error.headers
            code = HTTP_CODES.get(error.status_code, "http_error")
            return RequestError(error.status_code, code, str(error.detail), headers)
        case ClientDisconnect():
            # Nobody reads this; the status is for the metrics, the number is nginx's.
            return RequestError(499, "client_closed_request", "the client closed the connection")
    # The stack is in the server's log: Starlette raises the exception again behind this answer, which passes by the
    # middleware that gives the others their id.
    message = "the server failed on this request; the server's log has the reason"
    return RequestError(500, "internal_error", message, {"X-Request-Id": request.scope.get("request_id", "")})
