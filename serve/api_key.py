"""Requests in; those without the key never reach a route."""

import secrets
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from contract import UserError
from serve.errors import body_for

# Whether the server lives, and the page, which holds nothing of the model and asks for the key itself.
OPEN = {"/", "/ping", "/v2/health/live", "/v2/health/ready"}
OPEN_FOLDER = "/page/"
SHORTEST = 16


def read_key(path: Path) -> str:
    """The key in a file's first line. Raises `UserError`."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"the API key can't be read from {path} ({error}); expected a line of ASCII") from error
    key = lines[0].strip() if lines else ""
    if len(key) < SHORTEST:
        raise UserError(f"the API key in {path} has {len(key)} characters; expected at least {SHORTEST}")
    return key


class RequireKey:
    """Answers 401 unless `Authorization: Bearer` or `X-API-Key` holds the key."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self.app, self._key = app, key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or don't."""
        if scope["type"] == "http" and not self._is_open(scope["path"]) and not self._has_key(Headers(scope=scope)):
            wanted = "this server wants its API key: Authorization: Bearer <key>"
            body = body_for(scope["path"], "unauthorized", wanted)
            refused = JSONResponse(body, 401, {"WWW-Authenticate": "Bearer", "Connection": "close"})
            await refused(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in OPEN or path.startswith(OPEN_FOLDER)

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        return secrets.compare_digest(given.encode(), self._key)  # takes equally long however much of it is right
