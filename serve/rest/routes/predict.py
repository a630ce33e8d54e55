"""`POST /predict`: one picture or many, the best classes with their names; `POST /annotate`: the same as a picture."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter
from pydantic.json_schema import SkipJsonSchema

from contract import ImageError
from contract.graph import Outputs
from contract.request_error import ErrorBody, RequestError
from serve.dataplane import DataPlane
from serve.models.answers import ImageAnswer, raise_if_unreadable
from serve.models.served_model import ServedModel
from serve.rest.early import early_route
from serve.rest.openapi.documents import BINARY, REFUSALS, Responses, pictures, refusals
from serve.rest.picture_request import admit

TopK = Annotated[int, Query(ge=1, le=1000, description="Number of classes in the answer")]
# A parameter that isn't there is None; that it could be null is nothing that a URL could say.
Name = str | SkipJsonSchema[None]
ModelName = Annotated[Name, Query(description="The model; required if several models are being served")]
VersionName = Annotated[Name, Query(description="A version, or a label: stable (the default) or canary")]
DRAWN: Responses = {
    200: {"content": {"image/jpeg": {"schema": BINARY}}, "description": "The annotated image, a JPEG file"}
}
NAMED = "The best classes for one image; a list of results for several images"
MANY = 100
"""So many named classes take a millisecond."""


@dataclass(frozen=True, kw_only=True)
class BatchAnswer:
    """The answer for several images: one result for each image, in the same order."""

    model: str
    version: str
    results: list[ImageAnswer | ErrorBody]


ONE: TypeAdapter[ImageAnswer | ErrorBody] = TypeAdapter(ImageAnswer | ErrorBody)


def routes(dataplane: DataPlane) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Pictures"], route_class=early_route(dataplane), responses=refusals(REFUSALS))
    _add_predict(router, dataplane)
    _add_annotate(router, dataplane)
    return router


def _add_predict(router: APIRouter, dataplane: DataPlane) -> None:
    @router.post(
        "/predict",
        openapi_extra=pictures(dataplane.config.max_files),
        response_description=NAMED,
        response_model=ImageAnswer | BatchAnswer,
        response_model_exclude_none=True,
    )
    async def predict(
        request: Request,
        top_k: TopK = dataplane.config.top_k,
        activation_map: bool = False,
        model: ModelName = None,
        version: VersionName = None,
    ) -> Any:
        """Classify one image (raw bytes, or a form with one `file`) or several images (a form with several files).

        With `activation_map`, each answer includes where in the image the model looked.
        """
        with admit(dataplane, request, model, version) as asked:
            files = await asked.read()
            results = await asked.run(files)
            if len(results) == 1:
                raise_if_unreadable(results[0])
            naming = Naming(served=asked.served, pictures=files, results=results, k=top_k, explain=activation_map)
            # To explain, a picture's header is read again, which may mean decoding it.
            if activation_map or len(results) * top_k > MANY:
                body = await asked.work(naming.dump)
                asked.hold(len(body))
                return Response(body, media_type="application/json")
            return naming.answer()


def _add_annotate(router: APIRouter, dataplane: DataPlane) -> None:
    @router.post("/annotate", openapi_extra=pictures(), responses=DRAWN, response_class=Response)
    async def annotate(
        request: Request,
        top_k: TopK = dataplane.config.top_k,
        model: ModelName = None,
        version: VersionName = None,
    ) -> Response:
        """Return the image with a heat map of where the model looked, and the classes and probabilities below."""
        with admit(dataplane, request, model, version) as asked:
            data, outputs = await asked.run_one()
            drawn = await asked.draw(data, partial(asked.served.answers.draw, data, outputs, top_k))
            return Response(drawn, media_type="image/jpeg")


@dataclass(frozen=True, kw_only=True)
class Naming:
    """The pictures of a request, their results, and how the answer is to say them: `k` classes each."""

    served: ServedModel
    pictures: Sequence[bytes]
    results: Sequence[Outputs | ImageError]
    k: int
    explain: bool

    def answer(self) -> ImageAnswer | BatchAnswer:
        """What FastAPI writes."""
        answers = list(self._each())
        if len(answers) == 1 and isinstance(answers[0], ImageAnswer):
            return answers[0]
        return BatchAnswer(model=self.served.id.model, version=self.served.id.version, results=answers)

    def dump(self) -> bytes:
        """The same, written; image by image, as no other thread runs while one is written, and as the collector of
        garbage would stop everything for long to look through all of them.
        """
        written = (ONE.dump_json(answer, exclude_none=True) for answer in self._each())
        if len(self.pictures) == 1:
            return next(written)
        said = {"model": self.served.id.model, "version": self.served.id.version}
        head = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        return head.encode()[:-1] + b',"results":[' + b",".join(written) + b"]}"

    def _each(self) -> Iterator[ImageAnswer | ErrorBody]:
        for data, result in zip(self.pictures, self.results, strict=True):
            if isinstance(result, ImageError):
                yield RequestError.from_image_error(result).body
            elif self.explain:
                yield self.served.answers.explain(data, result, self.k)
            else:
                yield self.served.answers.name(result, self.k)
