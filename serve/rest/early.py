"""Requests with pictures in; while there is too much to do, they are refused before anything else of them is looked at.

Many come then, and what each costs is taken from those that are answered.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import Scope

from serve.auth import Keys
from serve.dataplane import DataPlane
from serve.errors import body_for
from serve.observability.record import REQUEST_ID, RequestRecord, choose_id
from serve.observability.timing import Timing
from serve.rest.errors import refuse


def early_route(dataplane: DataPlane) -> type[APIRoute]:
    """For routers whose POST takes pictures."""

    class EarlyRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                refusal = dataplane.refusal(request.scope["timing"]) if request.method == "POST" else None
                return refuse(request, refusal) if refusal else await handle(request)

            return answer

    return EarlyRoute


class EarlyRefusals:
    """The same for the connection to ask, as all that goes around a route costs several times what this does.

    What would be answered in another way, by the key or the origin that it lacks, is left to the application.
    """

    def __init__(self, dataplane: DataPlane, keys: Keys, routes: Sequence[BaseRoute]) -> None:
        """Of `routes` those count whose POST takes pictures."""
        self._dataplane, self._keys = dataplane, keys
        taking = [route for route in routes if isinstance(route, APIRoute) and "POST" in (route.methods or ())]
        self._paths = [(route.path_regex, route.path) for route in taking]

    def __call__(self, scope: Scope, began: float) -> Response | None:
        """The refusal of a request whose head is here since `began`; None if it is for the application."""
        if scope["method"] != "POST" or not self._dataplane.is_refusing or not (route := self._route(scope["path"])):
            return None
        headers, timing = Headers(scope=scope), Timing(started=began)
        if self._needs_application(scope["path"], headers) or not (refusal := self._dataplane.refusal(timing)):
            return None
        record = RequestRecord(
            request_id=choose_id(headers),
            client=(scope["client"] or ("",))[0],
            method="POST",
            route=route,
            status=refusal.status,
            code=refusal.code,
            timing=timing,
            headers=headers,
        )
        self._dataplane.recorder.end(record)
        told = {**(refusal.headers or {}), "Server-Timing": timing.header, REQUEST_ID: record.request_id}
        return JSONResponse(body_for(scope["path"], refusal.code, refusal.message), refusal.status, told)

    def _route(self, path: str) -> str | None:
        return next((name for pattern, name in self._paths if pattern.match(path)), None)

    def _needs_application(self, path: str, headers: Headers) -> bool:
        leaving, config = self._dataplane.registry.health.leaving, self._dataplane.config
        crossing = bool(config.cors_origins) and "origin" in headers
        return leaving or crossing or "expect" in headers or self._keys.refusal(path, headers) is not None
