"""KServe's V1 protocol, for callers that know it from TensorFlow Serving or KServe.

Specification: kserve/website, data plane v1 protocol; an instance is an image file in base64.
"""

import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request

from contract.json_images import images_in
from contract.labels import TORCHSERVE_TOP_K, by_label
from serve.dataplane import DataPlane
from serve.errors import malformed_request
from serve.models.answers import raise_if_unreadable
from serve.rest.early import early_route
from serve.rest.openapi.documents import JSON, PICTURE, REFUSALS, refusals
from serve.rest.picture_request import admit
from serve.scheduling.helper import Answer

EXPECTED = 'expected {"instances": [...]} with an image file in base64 for each: "..." or {"b64": "..."}'
BASE64 = {"type": "string", "contentEncoding": "base64"}
INSTANCE = {"anyOf": [BASE64, {"type": "object", "properties": {"b64": BASE64}, "required": ["b64"]}]}
INSTANCES = {
    "type": "object",
    "properties": {"instances": {"type": "array", "minItems": 1, "items": INSTANCE}},
    "required": ["instances"],
}
BODY: dict[str, Any] = {
    "parameters": [{"$ref": "#/components/parameters/Timeout"}],
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": INSTANCES, "example": {"instances": [{"b64": PICTURE}]}}},
    },
}
PREDICTED = "Probabilities of the best classes, for each image"


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Label -> probability, for each image."""

    predictions: list[dict[str, float]]


def routes(dataplane: DataPlane) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["KServe V1"], route_class=early_route(dataplane), responses=refusals(REFUSALS))

    @router.post("/v1/models/{model}:predict", openapi_extra=BODY, response_description=PREDICTED)
    async def predict(request: Request, model: str) -> Predicted:
        """Classify images in base64: for each, label -> probability of the 5 best classes."""
        with admit(dataplane, request, model) as asked:
            body = await asked.read_body()
            _, pictures = await asked.parse(read_instances, body, len(body), most=dataplane.config.max_files)
            results = await asked.run(pictures)
            outputs = [raise_if_unreadable(result, place, len(results)) for place, result in enumerate(results, 1)]
            named = [asked.served.answers.name(each, TORCHSERVE_TOP_K).predictions for each in outputs]
            return Predicted(predictions=[by_label(predictions) for predictions in named])

    return router


def read_instances(body: bytes, most: int) -> Answer:
    """The image files of a request; at most `most`. Raises `RequestError`."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise malformed_request(f"the body is not valid JSON; {EXPECTED}") from error
    if not isinstance(said, dict) or "instances" not in said:
        raise malformed_request(f"the JSON has no instances; {EXPECTED}")
    return {}, images_in(said["instances"], "instances", most)
