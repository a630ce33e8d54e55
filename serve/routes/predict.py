"""`POST /predict`: one picture or many, the best classes with their names; `POST /annotate`: the same as a picture."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from contract import ImageError
from contract.graph import Outputs
from contract.request_error import ErrorBody, RequestError
from serve.intake import Intake
from serve.routes.documents import BODY, ERRORS
from serve.service import ImageAnswer

TopK = Annotated[int, Query(ge=1, le=1000)]
DRAWN: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "The annotated picture, a JPEG file"}
}


@dataclass(frozen=True, kw_only=True)
class BatchAnswer:
    """The answer for several pictures: one result each, in their order."""

    model: str
    version: str
    results: list[ImageAnswer | ErrorBody]


def routes(intake: Intake) -> APIRouter:
    """The routes."""
    router, service = APIRouter(), intake.service

    @router.post("/predict", openapi_extra=BODY, responses=ERRORS, response_model_exclude_none=True)
    async def predict(
        request: Request, top_k: TopK = intake.config.top_k, activation_map: bool = False
    ) -> ImageAnswer | BatchAnswer:
        """Name what is in one picture (raw bytes, or a form with one `file`) or in several (a form with many).

        With `activation_map` each answer says where in the picture the model looked.
        """
        pictures = await intake.read(request)
        results = await intake.run(request, pictures)
        if len(results) == 1 and isinstance(results[0], ImageError):
            raise results[0]

        def name(data: bytes, result: Outputs | ImageError) -> ImageAnswer | ErrorBody:
            if isinstance(result, ImageError):
                return RequestError.from_image_error(result).body
            return service.explain(data, result, top_k) if activation_map else service.name(result, top_k)

        def name_all() -> list[ImageAnswer | ErrorBody]:
            return [name(data, result) for data, result in zip(pictures, results, strict=True)]

        # To explain, a picture's header is read again, which may mean decoding it.
        answers = await intake.work(request, name_all) if activation_map else name_all()
        if len(answers) == 1 and isinstance(answers[0], ImageAnswer):
            return answers[0]
        return BatchAnswer(model=service.model_name, version=service.version, results=answers)

    @router.post("/annotate", openapi_extra=BODY, responses={**ERRORS, **DRAWN}, response_class=Response)
    async def annotate(request: Request, top_k: TopK = intake.config.top_k) -> Response:
        """One picture with its answer drawn over and under it: where the model looked, names and probabilities."""
        data, outputs = await intake.run_one(request)
        drawn = await intake.work(request, lambda: service.draw(data, outputs, top_k))
        return Response(drawn, media_type="image/jpeg")

    return router
