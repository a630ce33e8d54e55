"""Builds the answer to a request from the model's outputs, in the protocol of the request."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract import ImageError, Manifest, top_k
from contract.labels import TORCHSERVE_TOP_K, by_label
from contract.request_error import RequestError
from handlers.requests import Request


class Found(NamedTuple):
    """The model's outputs for one image and C classes."""

    probabilities: NDArray[np.float32]
    """[C]"""
    activation_map: NDArray[np.float32]
    """[C, h, w]"""
    view: tuple[float, float, float, float]
    """The part that the model saw: left, top, right, bottom as shares of the upright image's width and height."""


class Answer(NamedTuple):
    """A JSON-serialisable body and its HTTP status."""

    status: int
    body: dict[str, Any]


def answer(request: Request, found: Sequence[Found | ImageError], explain: bool, manifest: Manifest) -> Answer:
    """The answer to one request. If one of its images fails, the whole request fails; the message says which image."""
    if request.error:
        return _refusal(request, request.error)
    results = [result for result in found if isinstance(result, Found)]
    if len(results) < len(found):
        return _refusal(request, _first_error(request, found))
    if request.protocol == "kserve_v2":
        return Answer(200, _v2(request, results, explain, manifest))
    bodies = [_explanation(result, manifest) if explain else _prediction(result, manifest) for result in results]
    if request.protocol == "kserve_v1":
        return Answer(200, {"explanations" if explain else "predictions": bodies})
    return Answer(200, bodies[0])


def _refusal(request: Request, error: RequestError) -> Answer:
    if request.protocol == "kserve_v2":
        return Answer(error.status, {"error": error.message})  # the protocol requires a string here
    return Answer(error.status, asdict(error.body))


def _first_error(request: Request, found: Sequence[Found | ImageError]) -> RequestError:
    index, error = next((index, item) for index, item in enumerate(found) if isinstance(item, ImageError))
    refused = RequestError.from_image_error(error)
    if request.protocol == "torchserve":
        return refused
    return RequestError(refused.status, refused.code, f"image {index + 1} of {len(found)}: {refused.message}")


def _prediction(found: Found, manifest: Manifest) -> dict[str, Any]:
    return by_label(top_k(found.probabilities, manifest.classes, TORCHSERVE_TOP_K))


def _explanation(found: Found, manifest: Manifest) -> dict[str, Any]:
    """The best class, and its activation map: how much each position of the view supports it."""
    (best,) = top_k(found.probabilities, manifest.classes, 1)
    return {
        "label": best.label,
        "display_name": best.display_name,
        "probability": best.probability,
        "activation_map": found.activation_map[best.index].tolist(),
        "view": dict(zip(("left", "top", "right", "bottom"), found.view, strict=True)),
    }


def _v2(request: Request, results: Sequence[Found], explain: bool, manifest: Manifest) -> dict[str, Any]:
    """The answer as Open Inference Protocol tensors; `probabilities` have the order of `classes`."""
    best = [int(np.argmax(found.probabilities)) for found in results]
    maps = np.stack([found.activation_map[index] for found, index in zip(results, best, strict=True)])
    probabilities = np.stack([found.probabilities for found in results])
    tensors = {
        "label": ("BYTES", [len(best)], [manifest.classes[index].label for index in best]),
        "probabilities": ("FP32", list(probabilities.shape), probabilities.ravel().tolist()),
        "classes": ("BYTES", [len(manifest.classes)], [entry.label for entry in manifest.classes]),
        "activation_map": ("FP32", list(maps.shape), maps.ravel().tolist()),
    }
    wanted = request.outputs or ({"label", "activation_map"} if explain else {"label", "probabilities", "classes"})
    outputs = [
        {"name": name, "datatype": datatype, "shape": shape, "data": data}
        for name, (datatype, shape, data) in tensors.items()
        if name in wanted
    ]
    identity = {} if request.id is None else {"id": request.id}
    return {"model_name": manifest.name, "model_version": manifest.version, **identity, "outputs": outputs}
