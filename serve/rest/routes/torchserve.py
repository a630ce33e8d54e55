"""TorchServe's routes, for callers that know it."""

from fastapi import APIRouter, Request

from contract.labels import TORCHSERVE_TOP_K, by_label
from serve.dataplane import DataPlane
from serve.rest.early import early_route
from serve.rest.openapi.documents import REFUSALS, pictures, refusals
from serve.rest.picture_request import admit

NAMED = "Probabilities of the best classes"


def routes(dataplane: DataPlane) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["TorchServe"], route_class=early_route(dataplane), responses=refusals(REFUSALS))

    async def predictions(request: Request, model: str, version: str | None = None) -> dict[str, float]:
        """Classify one image. Route and answer are those of TorchServe: label -> probability of the 5 best classes."""
        with admit(dataplane, request, model, version) as asked:
            _, outputs = await asked.run_one()
            return by_label(asked.served.answers.name(outputs, TORCHSERVE_TOP_K).predictions)

    for path in ("/predictions/{model}", "/predictions/{model}/{version}"):
        router.post(path, openapi_extra=pictures(), response_description=NAMED)(predictions)
    return router
