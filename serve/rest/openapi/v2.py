"""What /docs says of the Open Inference Protocol V2: its errors, its bodies, and an example of each."""

from typing import Any

from serve.rest.openapi.documents import (
    BINARY,
    JSON,
    MISSING,
    REFUSALS,
    V2,
    Refusal,
    Responses,
    answer,
    reference,
    refusals,
)
from serve.rest.picture_request import TIMEOUT_HEADER
from serve.v2.codec import HEADER as LENGTH_HEADER
from serve.v2.responses import InferReply, ModelReady, ServerReady

MALFORMED = Refusal(
    "The request does not follow the protocol, or an image can't be read",
    "malformed_request",
    "outputs are ['colour']; expected each of ['logits', 'probabilities', 'activation_map'] at most once",
)
ENCODED = Refusal(
    "The body is compressed, or the image format is not supported",
    "unsupported_encoding",
    "the body is gzip-encoded; send it without Content-Encoding",
)
TIMED = Refusal(
    f"{TIMEOUT_HEADER} is not a valid number",
    "invalid_parameter",
    f"{TIMEOUT_HEADER} is not valid; expected whole milliseconds, at least 1",
)
NOT_FOUND = refusals(MISSING, V2)
ERRORS = refusals({**REFUSALS, 400: MALFORMED, 415: ENCODED, 422: TIMED}, V2)

# A grey square, so that the example can be sent to any model.
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR42mOsYIAAJgaKGAAj0ACID/6ywQAAAABJRU5ErkJggg=="
FILES = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [PICTURE]}]}
BODY: dict[str, Any] = {
    "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in ("Timeout", "HeaderLength")],
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/InferRequest"}, "example": FILES},
            "application/octet-stream": {"schema": BINARY},
        },
    },
}
PROBABILITIES = {"name": "probabilities", "datatype": "FP32", "shape": [1, 3], "data": [0.01, 0.02, 0.97]}
REPLY: Responses = {
    200: {
        "model": InferReply,
        "description": "The outputs. Outputs requested as binary follow the JSON; the header has the JSON's length",
        "headers": reference("headers", LENGTH_HEADER),
        "content": {
            JSON: {"example": {"model_name": "leaf", "model_version": "1", "outputs": [PROBABILITIES]}},
            "application/octet-stream": {"schema": BINARY},
        },
    }
}


def _leaving(model: type[ModelReady | ServerReady], example: dict[str, Any]) -> Responses:
    return {
        503: {"model": model, "description": "The server is shutting down", "content": {JSON: {"example": example}}}
    }


SERVER = answer(
    "The server's name and extensions", {"name": "resnet-service", "version": "0.1.0", "extensions": ["statistics"]}
)
LIVE = answer("The server is running", {"live": True})
READY = {
    **answer("The server accepts new requests", {"live": True, "ready": True}),
    **_leaving(ServerReady, {"live": True, "ready": False}),
}
MODEL_READY = {
    **NOT_FOUND,
    **answer("The model is ready", {"name": "leaf", "ready": True}),
    **_leaving(ModelReady, {"name": "leaf", "ready": False}),
}
METADATA = NOT_FOUND | answer(
    "Names, types and shapes of the model's inputs and outputs",
    {
        "name": "leaf",
        "versions": ["1"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 224, 224, 3]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}],
    },
)
CONFIGURATION = NOT_FOUND | answer(
    "The configuration, as Triton's perf_analyzer and model_analyzer request it",
    {
        "name": "leaf",
        "platform": "onnx_onnxv1",
        "backend": "onnxruntime",
        "max_batch_size": 32,
        "input": [{"name": "image", "data_type": "TYPE_UINT8", "dims": [224, 224, 3]}],
        "output": [{"name": "probabilities", "data_type": "TYPE_FP32", "dims": [3]}],
        "instance_group": [{"name": "leaf", "count": 2, "kind": "KIND_CPU"}],
        "dynamic_batching": {"preferred_batch_size": [1, 2, 4, 8]},
    },
)
_ONCE = {"count": 1, "ns": 9_710_000}
_NEVER = {"count": 0, "ns": 0}
COUNTED = answer(
    "The statistics of each model",
    {
        "model_stats": [
            {
                "name": "leaf",
                "version": "1",
                "last_inference": 1_764_000_000_000,
                "inference_count": 1,
                "execution_count": 1,
                "inference_stats": {
                    **dict.fromkeys(("success", "queue", "compute_input", "compute_infer"), _ONCE),
                    **dict.fromkeys(("fail", "compute_output", "cache_hit", "cache_miss"), _NEVER),
                },
                "batch_stats": [
                    {"batch_size": 1, "compute_input": _NEVER, "compute_infer": _ONCE, "compute_output": _NEVER}
                ],
            }
        ]
    },
)
