"""Messages of the Open Inference Protocol V2 over gRPC in, pictures out; outputs in, messages out.

Specification: kserve/open-inference-protocol, inference_grpc.md; the messages are those that Triton publishes. What a
request means is in `serve/v2/codec.py`, for both protocols.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tritonclient.grpc.service_pb2 import ModelInferRequest, ModelInferResponse

from contract.graph import Outputs
from serve.errors import malformed_request
from serve.observability.metrics import ModelId
from serve.v2.codec import make_query, write_outputs
from serve.v2.tensors import LENGTH_BYTES
from serve.v2.types import InferInput, InferOutput, InferQuery, InferRequest

PIECE = 1 << 16


def read_query(message: ModelInferRequest, size: int, most: int) -> InferQuery:
    """The pictures of a request: uint8 [N, size, size, 3], or N files; at most `most`. Raises `RequestError` 400."""
    request = InferRequest(
        id=message.id or None,
        parameters=read_parameters(message.parameters),
        inputs=[_read_input(given) for given in message.inputs],
        outputs=[_read_output(wanted) for wanted in message.outputs],
    )
    return make_query(request, _tensor(message), size, most, binary=True)


def read_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Each with the one value that it holds."""
    chosen = {name: parameter.WhichOneof("parameter_choice") for name, parameter in given.items()}
    return {name: getattr(given[name], choice) for name, choice in chosen.items() if choice}


def _read_input(given: Any) -> InferInput:
    parameters = read_parameters(given.parameters)
    return InferInput(name=given.name, shape=list(given.shape), datatype=given.datatype, parameters=parameters)


def _read_output(wanted: Any) -> InferOutput:
    parameters = read_parameters(wanted.parameters)
    parameters.pop("binary_data", None)  # REST's; here every output is
    return InferOutput(name=wanted.name, parameters=parameters)


def _tensor(message: ModelInferRequest) -> bytes:
    """The bytes of the only input, whichever way they came; of several `make_query` takes none."""
    typed = [given for given in message.inputs if given.HasField("contents")]
    if not message.raw_input_contents:
        return _raw(typed[0]) if typed else b""
    if typed or len(message.raw_input_contents) != len(message.inputs):
        raise malformed_request(
            "raw_input_contents must have one element for each input, and then no input may have contents"
        )
    raw: bytes = message.raw_input_contents[0]
    return raw


def _raw(given: Any) -> bytes:
    """An input's contents, as they would be in `raw_input_contents`."""
    if given.datatype == "BYTES":
        return b"".join(len(data).to_bytes(LENGTH_BYTES, "little") + data for data in given.contents.bytes_contents)
    try:
        values = given.contents.uint_contents
        # In pieces, as `bytes` lets no other thread run, the event loop's among them.
        return b"".join(bytes(values[place : place + PIECE]) for place in range(0, len(values), PIECE))
    except ValueError as error:
        raise malformed_request("uint_contents has other values; expected whole numbers from 0 to 255") from error


def write_answer(query: InferQuery, outputs: Outputs, labels: Sequence[str], model: ModelId) -> ModelInferResponse:
    """The outputs that were asked for, all of them if none was. Raises `RequestError` 400 for a senseless parameter."""
    entries = write_outputs(query, outputs, labels)
    described = [{key: entry[key] for key in ("name", "datatype", "shape")} for entry, _ in entries]
    return ModelInferResponse(
        model_name=model.model,
        model_version=model.version,
        id=query.request.id or "",
        outputs=described,
        raw_output_contents=[blob for _, blob in entries],
    )
