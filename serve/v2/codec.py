"""Bodies of the Open Inference Protocol V2 in, pictures out; outputs in, bodies out.

Specification: kserve/open-inference-protocol, inference_rest.md; the extensions are Triton's extension_binary_data.md
and extension_classification.md. An input of type BYTES holds picture files, as OpenVINO Model Server takes them.
"""

import base64
import binascii
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from contract.graph import INPUT_NAME, OUTPUT_NAMES, Outputs
from serve.errors import malformed_request

HEADER = "Inference-Header-Content-Length"
Pixels = NDArray[np.uint8]
LENGTH_BYTES = 4


TIMEOUT_SCHEMA = {"type": ["integer", "null"], "minimum": 1, "description": "Time limit in microseconds"}


def _told(**schema: Any) -> Any:
    """What `/docs` says of a field besides its type; `make_query` checks it, for gRPC too."""
    return Field(json_schema_extra=schema)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class InferInput(_Strict):
    """An input tensor. Its values are in `data`, or follow the JSON as binary data."""

    name: Annotated[str, _told(const=INPUT_NAME)]
    shape: Annotated[list[int], _told(minItems=1)]
    datatype: Annotated[str, _told(enum=["UINT8", "BYTES"])]
    parameters: dict[str, Any] = Field(default_factory=dict)
    data: list[Any] | None = None


class InferOutput(_Strict):
    """A requested output tensor."""

    name: Annotated[str, _told(enum=list(OUTPUT_NAMES))]
    parameters: dict[str, Any] = Field(default_factory=dict)


class InferRequest(_Strict):
    """The JSON of an inference request."""

    id: str | None = None
    parameters: Annotated[dict[str, Any], _told(properties={"timeout": TIMEOUT_SCHEMA})] = Field(default_factory=dict)
    inputs: Annotated[list[InferInput], FailFast(), _told(minItems=1, maxItems=1)]
    outputs: Annotated[list[InferOutput], FailFast()] = Field(default_factory=list)

    @property
    def timeout_ms(self) -> int | None:
        """The parameter `timeout`, which is in microseconds, as Triton has it. Raises `RequestError` 400."""
        given = self.parameters.get("timeout")
        if given is None:
            return None
        if not isinstance(given, int) or isinstance(given, bool) or given < 1:
            raise malformed_request(f"timeout is {given!r}; expected whole microseconds, at least 1")
        return max(1, given // 1000)


@dataclass(frozen=True, kw_only=True)
class InferQuery:
    """An inference request that was read: the pictures to answer for, as pixels or as files, and how to answer."""

    request: InferRequest
    pixels: list[Pixels]
    files: list[bytes]
    binary: bool
    """Whether outputs are binary unless they say otherwise."""


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
    pixels, files = _read_input(request.inputs[0], tensor, size, most)
    return InferQuery(request=request, pixels=pixels, files=files, binary=binary)


def _length(given: str, most: int) -> int:
    """How many bytes of the body are JSON."""
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and int(given) <= most):
        raise malformed_request(
            f"{HEADER} is {given[:20]!r}; expected the length of the JSON in bytes, at most the body's {most}"
        )
    return int(given)


def _parse(text: bytes) -> InferRequest:
    try:
        return InferRequest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise malformed_request(
            f"the JSON is not an inference request: {place + ': ' if place else ''}{first['msg']}"
        ) from error


def _raw_request(body: bytes, size: int) -> InferRequest:
    """A body that is nothing but the tensor."""
    shape = [len(body) // (size * size * 3), size, size, 3]
    return InferRequest(inputs=[InferInput(name=INPUT_NAME, shape=shape, datatype="UINT8")])


def _read_input(given: InferInput, binary: bytes, size: int, most: int) -> tuple[list[Pixels], list[bytes]]:
    wanted = {"UINT8": [size, size, 3], "BYTES": []}.get(given.datatype)
    if wanted is None:
        raise malformed_request(f"datatype is {given.datatype[:20]}; expected UINT8 (pixels) or BYTES (image files)")
    if not given.shape or given.shape[1:] != wanted or not 1 <= given.shape[0] <= most:
        raise malformed_request(f"shape is {given.shape[:8]}; expected {['N', *wanted]} with N from 1 to {most}")
    if given.data is None:
        binary = _sized(given, binary)
    if given.datatype == "UINT8":
        return list(_pixels(given, binary)), []
    files = _split(binary) if given.data is None else _decode(given.data)
    if len(files) != given.shape[0]:
        raise malformed_request(f"shape is {given.shape}, but data has {len(files)} elements; expected the same number")
    return [], files


def _sized(given: InferInput, binary: bytes) -> bytes:
    """The input's bytes. Its size need not be said, as there is only one input."""
    size = given.parameters.get("binary_data_size", len(binary))
    if size != len(binary) or isinstance(size, bool):
        raise malformed_request(
            f"binary_data_size is {size!r}, but {len(binary)} bytes follow the JSON; expected the same number"
        )
    return binary


def _pixels(given: InferInput, binary: bytes) -> Pixels:
    count = math.prod(given.shape)
    if given.data is None:
        if len(binary) != count:
            raise malformed_request(
                f"the data has {len(binary)} bytes; expected {count} bytes for the shape {given.shape}"
            )
        return np.frombuffer(binary, np.uint8).reshape(given.shape)
    try:
        values = np.asarray(given.data)
    except ValueError as error:  # rows of several lengths
        raise malformed_request("data is not a tensor: its rows differ in length") from error
    if values.dtype.kind not in "iu" or values.size != count or values.min() < 0 or values.max() > 255:
        raise malformed_request(f"data is not valid; expected {count} whole numbers from 0 to 255")
    return values.astype(np.uint8).reshape(given.shape)


def _split(binary: bytes) -> list[bytes]:
    """Elements with their length before each, 4 bytes, little-endian."""
    elements, place = [], 0
    while place < len(binary):
        begin = place + LENGTH_BYTES
        place = begin + int.from_bytes(binary[place:begin], "little")
        if place > len(binary) or begin > len(binary):
            raise malformed_request(
                "an element is longer than the rest of the body; check the 4-byte lengths before the elements"
            )
        elements.append(binary[begin:place])
    return elements


def _decode(data: Sequence[Any]) -> list[bytes]:
    """In JSON, files are written in base64."""
    try:
        return [base64.b64decode(element, validate=True) for element in data]
    except (binascii.Error, ValueError, TypeError) as error:
        raise malformed_request(
            "data is not valid base64; expected image files in base64 for the datatype BYTES"
        ) from error


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
    described = [entry for entry, _ in entries]
    answer: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": described}
    if query.request.id is not None:
        answer["id"] = query.request.id
    text = json.dumps(answer, allow_nan=False).encode()
    if not any(blob for _, blob in entries):
        return Reply(body=text, headers={"Content-Type": "application/json"})
    headers = {"Content-Type": "application/octet-stream", HEADER: str(len(text))}
    return Reply(body=text + b"".join(blob for _, blob in entries), headers=headers)


def write_outputs(query: InferQuery, outputs: Outputs, labels: Sequence[str]) -> list[Entry]:
    """The outputs that were asked for. Raises `RequestError` 400."""
    wanted = query.request.outputs or [InferOutput(name=name) for name in OUTPUT_NAMES]
    return [_write_output(output, getattr(outputs, output.name), labels, query.binary) for output in wanted]


def _write_output(wanted: InferOutput, values: NDArray[np.float32], labels: Sequence[str], binary: bool) -> Entry:
    entry: dict[str, Any] = {"name": wanted.name, "datatype": "FP32", "shape": list(values.shape)}
    texts: list[str] | None = None
    if (classes := wanted.parameters.get("classification")) is not None:
        texts = _classify(classes, values, labels)
        entry |= {"datatype": "BYTES", "shape": [len(values), len(texts) // len(values)]}
    if wanted.parameters.get("binary_data", binary) is not True:
        return {**entry, "data": values.ravel().tolist() if texts is None else texts}, b""
    blob = values.astype("<f4").tobytes() if texts is None else _join(text.encode() for text in texts)
    return {**entry, "parameters": {"binary_data_size": len(blob)}}, blob


def _join(elements: Iterable[bytes]) -> bytes:
    """Elements with their length before each, as `_split` takes them."""
    return b"".join(len(element).to_bytes(LENGTH_BYTES, "little") + element for element in elements)


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
