"""Requests with pictures in; while there is too much to do, they are refused before anything else of them is looked at.

Many come then, and what each costs is taken from those that are answered.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from serve.dataplane import DataPlane
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
