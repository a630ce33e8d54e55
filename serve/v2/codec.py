"""Bodies of the Open Inference Protocol V2 in, pictures out; outputs in, bodies out.

Specification: kserve/open-inference-protocol, inference_rest.md; the extensions are Triton's extension_binary_data.md
and extension_classification.md. An input of type BYTES holds picture files, as OpenVINO Model Server takes them.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from pydantic_core import to_json

from contract.graph import INPUT_NAME, OUTPUT_NAMES, Outputs
from contract.request_error import RequestError
from serve.errors import malformed_request
from serve.v2.tensors import join, read_input
from serve.v2.types import InferInput, InferOutput, InferQuery, InferRequest

BYTES_BINARY, BYTES_JSON = 4, 24
SHAPE = re.compile(rb'"shape"\s*:\s*\[([\d\s,]{0,100})\]')
SLACK = 1 << 16
MOST_PER_VALUE = 32
"""Bytes of JSON for one number: as Python writes it in lines of its own, indented."""
PIECE = 1024
"""Numbers that are written at once; no other thread runs meanwhile."""
HEADER = "Inference-Header-Content-Length"


def read_query(body: bytes, header_length: str | None, size: int, most: int) -> InferQuery:
    """The pictures of a request over REST: uint8 [N, size, size, 3], or N files; at most `most`.

    Raises `RequestError` 400.
    """
    length = len(body) if header_length is None else _length(header_length, len(body))
    if header_length is not None and length == 0:
        return make_query(_raw_request(body, size), body, size, most, binary=True)
    request = _parse(body[:length])
    binary = request.parameters.get("binary_data_output") is True
    return make_query(request, body[length:], size, most, binary=binary)


def make_query(request: InferRequest, tensor: bytes, size: int, most: int, *, binary: bool) -> InferQuery:
    """The same for a request that was read; `tensor` holds what an input without `data` is made of."""
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT_NAME:
        raise malformed_request(
            f"inputs are {[given.name for given in request.inputs[:8]]}; expected one, named {INPUT_NAME}"
        )
    names = [wanted.name for wanted in request.outputs]
    if not set(names) <= set(OUTPUT_NAMES) or len(set(names)) < len(names):
        raise malformed_request(f"outputs are {names[:8]}; expected each of {list(OUTPUT_NAMES)} at most once")
    pixels, files = read_input(request.inputs[0], tensor, size, most)
    request.inputs[0].data = None  # it takes ten times what was read from it
    return InferQuery(request=request, pixels=pixels, files=files, binary=binary)


def size_of_json(body: bytes, header_length: str | None) -> int:
    """How many bytes of the body are JSON, if its header tells the truth."""
    told = header_length if header_length and header_length.isascii() and header_length.isdecimal() else None
    return min(len(body), int(told[:10])) if told else len(body)


def _length(given: str, most: int) -> int:
    """How many bytes of the body are JSON."""
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and int(given) <= most):
        raise malformed_request(
            f"{HEADER} is {given[:20]!r}; expected the length of the JSON in bytes, at most the body's {most}"
        )
    return int(given)


def _parse(text: bytes) -> InferRequest:
    _check_size(text)
    try:
        return InferRequest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise malformed_request(
            f"the JSON is not an inference request: {place + ': ' if place else ''}{first['msg']}"
        ) from error


def _check_size(text: bytes) -> None:
    """Numbers without end would keep whoever parses them. Raises `RequestError` 413."""
    shape = SHAPE.search(text) if len(text) > SLACK and b'"UINT8"' in text else None
    if shape is None:  # files in base64, or no request at all
        return
    sides = [int(side) for side in re.findall(rb"\d+", shape[1])[:8]]
    if len(text) > SLACK + MOST_PER_VALUE * math.prod(sides):
        raise RequestError(
            413,
            "request_too_large",
            f"the JSON has {len(text)} bytes, far more than the shape {sides} needs; check the shape, or send the "
            "tensor as bytes (binary tensor data extension)",
            {"Connection": "close"},
        )


def _raw_request(body: bytes, size: int) -> InferRequest:
    """A body that is nothing but the tensor."""
    shape = [len(body) // (size * size * 3), size, size, 3]
    return InferRequest(inputs=[InferInput(name=INPUT_NAME, shape=shape, datatype="UINT8")])


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A body and what its header must say."""

    body: bytes
    headers: dict[str, str]


Entry = tuple[dict[str, Any], bytes]
"""An output as its description in JSON, with its values unless they follow it as bytes."""


def write_reply(query: InferQuery, outputs: Outputs, labels: Sequence[str], model: str, version: str) -> Reply:
    """The outputs that were asked for, all of them if none was. Raises `RequestError` 400 for a senseless parameter."""
    entries = write_outputs(query, outputs, labels)
    answer: dict[str, Any] = {"model_name": model, "model_version": version}
    if query.request.id is not None:
        answer["id"] = query.request.id
    text = _dump(answer, [entry for entry, _ in entries])
    if not any(blob for _, blob in entries):
        return Reply(body=text, headers={"Content-Type": "application/json"})
    headers = {"Content-Type": "application/octet-stream", HEADER: str(len(text))}
    return Reply(body=text + b"".join(blob for _, blob in entries), headers=headers)


def _dump(answer: dict[str, Any], outputs: Sequence[dict[str, Any]]) -> bytes:
    """The JSON, piece by piece: all outputs of many images are millions of numbers."""
    entries = b", ".join(_dump_output(output) for output in outputs)
    return json.dumps(answer, allow_nan=False).encode()[:-1] + b', "outputs": [' + entries + b"]}"


def _dump_output(output: dict[str, Any]) -> bytes:
    if not isinstance(output.get("data"), np.ndarray):
        return json.dumps(output, allow_nan=False).encode()
    described = {name: value for name, value in output.items() if name != "data"}
    return json.dumps(described).encode()[:-1] + b', "data": ' + _numbers(output["data"]) + b"}"


def _numbers(values: NDArray[np.float32]) -> bytes:
    """Raises `ValueError` for what JSON has no number for."""
    if not np.isfinite(values).all():
        raise ValueError("an output is not finite")
    pieces = (values[begin : begin + PIECE].tolist() for begin in range(0, len(values), PIECE))
    return b"[" + b", ".join(to_json(piece)[1:-1].replace(b",", b", ") for piece in pieces) + b"]"


def reply_size(query: InferQuery, outputs: Outputs) -> int:
    """About how many bytes the outputs that were asked for take, at most."""
    return sum(
        getattr(outputs, wanted.name).size * (BYTES_BINARY if _is_binary(wanted, query.binary) else BYTES_JSON)
        for wanted in _wanted(query)
    )


def _wanted(query: InferQuery) -> list[InferOutput]:
    return query.request.outputs or [InferOutput(name=name) for name in OUTPUT_NAMES]


def _is_binary(wanted: InferOutput, usual: bool) -> bool:
    return wanted.parameters.get("binary_data", usual) is True


def write_outputs(query: InferQuery, outputs: Outputs, labels: Sequence[str]) -> list[Entry]:
    """The outputs that were asked for. Raises `RequestError` 400."""
    return [_write_output(output, getattr(outputs, output.name), labels, query.binary) for output in _wanted(query)]


def _write_output(wanted: InferOutput, values: NDArray[np.float32], labels: Sequence[str], binary: bool) -> Entry:
    entry: dict[str, Any] = {"name": wanted.name, "datatype": "FP32", "shape": list(values.shape)}
    texts: list[str] | None = None
    if (classes := wanted.parameters.get("classification")) is not None:
        texts = _classify(classes, values, labels)
        entry |= {"datatype": "BYTES", "shape": [len(values), len(texts) // len(values)]}
    if not _is_binary(wanted, binary):
        return {**entry, "data": values.ravel() if texts is None else texts}, b""
    blob = values.astype("<f4").tobytes() if texts is None else join(text.encode() for text in texts)
    return {**entry, "parameters": {"binary_data_size": len(blob)}}, blob


def _classify(classes: object, values: NDArray[np.float32], labels: Sequence[str]) -> list[str]:
    """`score:index:label` of the best classes, row after row."""
    if not isinstance(classes, int) or isinstance(classes, bool) or classes < 1 or values.ndim != 2:
        raise malformed_request(
            "classification is not valid; expected a whole number of at least 1, for an output with one value per class"
        )
    return [
        f"{row[index]:f}:{index}:{labels[index]}"
        for row in values
        for index in np.argsort(-row, kind="stable")[:classes]
    ]
