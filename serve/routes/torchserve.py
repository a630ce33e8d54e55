"""TorchServe's route, for callers that know it."""

from fastapi import APIRouter, Request

from contract.labels import TORCHSERVE_TOP_K, by_label
from contract.request_error import ErrorBody, RequestError
from serve.intake import Intake
from serve.routes.documents import BODY, ERRORS


def routes(intake: Intake) -> APIRouter:
    """The route."""
    router, service = APIRouter(), intake.service

    @router.post("/predictions/{model}", openapi_extra=BODY, responses={404: {"model": ErrorBody}, **ERRORS})
    async def predictions(request: Request, model: str) -> dict[str, float]:
        """TorchServe's route and its image classifier's answer: label -> probability, the five best."""
        if model != service.model_name:
            raise RequestError(404, "model_not_found", f"no such model is served here; this is {service.model_name}")
        _, outputs = await intake.run_one(request)
        return by_label(service.name(outputs, TORCHSERVE_TOP_K).predictions)

    return router
