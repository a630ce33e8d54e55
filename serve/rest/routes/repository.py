"""Triton's model repository extension: which versions there are, and which of them answer. For who has the admin token.

Protocol: Triton's extension_model_repository.md; the parameters of `load` that say more than Triton's are ours.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from serve.control_plane import (
    IndexEntry,
    IndexRequest,
    LoadParameters,
    LoadRequest,
    UnloadParameters,
    UnloadRequest,
    list_versions,
    load_version,
    unload_version,
)
from serve.models.registry import ModelRegistry
from serve.rest.openapi.documents import MISSING, V2, Refusal, refusals
from serve.rest.upload import read_small_body

FOLDER = "/v2/repository"
REFUSED = {
    400: Refusal(
        "The change is not possible, and nothing was changed; the message says why",
        "not_loaded",
        "leaf has no version 3 to use as stable; available versions: 1, 2",
    ),
    413: Refusal(
        "The body is too large", "request_too_large", "the request is larger than 1 MB; send fewer or smaller images"
    ),
    422: Refusal(
        "A parameter is unknown or out of range",
        "invalid_parameter",
        "mirror: Input should be less than or equal to 1",
    ),
}
ERRORS = refusals(REFUSED, V2)
ERRORS_OF_ONE = refusals(MISSING, V2)
LISTED = "All versions in the folder"
MOST_BYTES = 1_000_000
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Index = Annotated[IndexRequest | None, Body(examples=[{"ready": True}])]
Load = Annotated[LoadRequest | None, Body(examples=[{"parameters": {"label": "canary", "mirror": 0.1}}])]
Unload = Annotated[UnloadRequest | None, Body(examples=[{"parameters": {"label": "canary"}}])]


class BoundedRoute(APIRoute):
    """A route whose body is JSON of a few words: no more of it is taken than `MOST_BYTES`."""

    def get_route_handler(self) -> Handler:
        """As FastAPI has it, once the body is here."""
        answer = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            body: Message = {"type": "http.request", "body": await read_small_body(request, MOST_BYTES)}

            async def replay() -> Message:
                return body

            return await answer(Request(request.scope, replay))

        return bounded


def routes(registry: ModelRegistry) -> APIRouter:
    """The routes."""
    router = APIRouter(
        tags=["Model repository"],
        prefix=FOLDER,
        responses=ERRORS,
        route_class=BoundedRoute,
        # Triton's own client names no type for its JSON. What that check is to prevent, the admin token does.
        strict_content_type=False,
    )

    @router.post("/index", response_description=LISTED)
    async def index(request: Index = None) -> list[IndexEntry]:
        """List all versions in the models folder, and whether they are loaded."""
        return await list_versions(registry, only_ready=request is not None and request.ready)

    @router.post("/models/{model}/load", response_description=LISTED, responses=ERRORS_OF_ONE)
    async def load(model: str, request: Load = None) -> list[IndexEntry]:
        """Read the folder again; load, verify and warm up a version; then replace the previous version with it.

        No request is lost. If the version fails its checks, nothing is changed.
        """
        await load_version(registry, model, request.parameters if request else LoadParameters())
        return [entry for entry in await list_versions(registry) if entry.name == model]

    @router.post("/models/{model}/unload", response_description=LISTED, responses=ERRORS_OF_ONE)
    async def unload(model: str, request: Unload = None) -> list[IndexEntry]:
        """Unload a model, or only its canary. Requests that it already has are still answered."""
        await unload_version(registry, model, request.parameters if request else UnloadParameters())
        return [entry for entry in await list_versions(registry) if entry.name == model]

    return router
