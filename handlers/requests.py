"""Reads a request from TorchServe: finds its images and its protocol.

TorchServe passes a mapping of part names to values: bytes for raw data, str for text/*, decoded JSON for
application/json. Requests in KServe's two protocols are JSON; their structure shows which protocol it is.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from contract.request_error import RequestError

MAX_PICTURES = 64
PARTS = ("data", "body", "file", "image")
JSON_PARTS = ("b64", "data", "body", "image_bytes", "image")

V2_OUTPUTS = frozenset({"label", "probabilities", "classes", "activation_map"})

Protocol = Literal["torchserve", "kserve_v1", "kserve_v2"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request: its image files as bytes, or the error if it can't be read."""

    protocol: Protocol
    pictures: tuple[bytes, ...] = ()
    id: str | None = None
    """KServe version 2 only: the request ID, returned in the answer."""
    outputs: frozenset[str] | None = None
    """KServe version 2 only: the requested outputs, or None for the default outputs."""
    error: RequestError | None = None


def read_request(parts: Mapping[str, Any]) -> Request:
    """Read one request. If it is malformed, its `error` is set; nothing is raised."""
    protocol: Protocol = "torchserve"
    try:
        body = _find_body(parts)
        protocol = _protocol_of(body)
        if protocol == "kserve_v1":
            return Request(protocol=protocol, pictures=_pictures(body["instances"], "instances"))
        if protocol == "kserve_v2":
            return _read_v2(body)
        return Request(protocol=protocol, pictures=(_text_or_picture(body),))
    except RequestError as error:
        return Request(protocol=protocol, error=error)


def _find_body(parts: Mapping[str, Any]) -> Any:
    """The part that holds the image or the JSON. JSON is decoded if TorchServe did not decode it."""
    present = [name for name in PARTS if name in parts]
    if not present:
        message = "no image; send bytes as image/jpeg, JSON as application/json, or a form with one part named data"
        raise RequestError(422, "missing_file", message)
    if len(present) > 1:
        message = f"{len(present)} images; this route takes one image: send a request for each image"
        raise RequestError(422, "too_many_files", message)
    body = parts[present[0]]
    # No image file begins like this. TorchServe does not decode JSON if the content type has a charset.
    if isinstance(body, (bytes, bytearray)) and body.lstrip()[:1] in (b"{", b"[", b'"'):
        return _decode_json(bytes(body))
    return body


def _decode_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        message = "the body begins like JSON but is not valid JSON; send an image file or valid JSON"
        raise RequestError(400, "malformed_json", message) from None


def _protocol_of(body: Any) -> Protocol:
    if isinstance(body, Mapping) and "instances" in body:
        return "kserve_v1"
    if isinstance(body, Mapping) and "inputs" in body:
        return "kserve_v2"
    return "torchserve"


def _pictures(values: Any, name: str) -> tuple[bytes, ...]:
    if not isinstance(values, list) or not values:
        raise RequestError(422, "missing_file", f"{name} has no images; expected a list of base64 strings")
    if len(values) > MAX_PICTURES:
        message = f"{name} has {len(values)} images; expected at most {MAX_PICTURES}: send several requests"
        raise RequestError(422, "too_many_files", message)
    return tuple(_picture(value) for value in values)


def _text_or_picture(body: Any) -> bytes:
    """Text is decoded as base64. If that fails, it is taken as a file, and the image decoder will report what it is."""
    if not isinstance(body, str):
        return _picture(body)
    try:
        return _decode_base64(body)
    except RequestError:
        return body.encode()


def _picture(value: Any) -> bytes:
    """The bytes of an image file: raw bytes, or base64 as a string or as a member of a JSON object."""
    if isinstance(value, Mapping):
        value = next((value[name] for name in JSON_PARTS if name in value), None)
        value = value.get("b64") if isinstance(value, Mapping) else value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return _decode_base64(value)
    message = 'no image in the JSON; expected a base64 string, for example {"b64": "/9j/4AAQ…"}'
    raise RequestError(422, "missing_file", message)


def _decode_base64(text: str) -> bytes:
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        message = "the text is not valid base64; expected an image file in base64"
        raise RequestError(400, "malformed_base64", message) from None


def _read_v2(body: Mapping[str, Any]) -> Request:
    """Read an Open Inference Protocol request: one BYTES input; each element is an image file in base64."""
    inputs = body["inputs"]
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], Mapping):
        raise _malformed(
            '"inputs" must be a list with one input, of datatype BYTES, with base64 image files as its data'
        )
    (given,) = inputs
    if given.get("datatype") != "BYTES":
        raise _malformed(f"the input's datatype is {given.get('datatype')}; expected BYTES, with image files")
    pictures = _pictures(given.get("data"), "data")
    if given.get("shape") not in ([len(pictures)], [len(pictures), 1], [-1], [-1, 1]):
        raise _malformed(f"the input's shape is {given.get('shape')}; expected [{len(pictures)}], as its data")
    return Request(protocol="kserve_v2", pictures=pictures, id=_read_id(body), outputs=_read_outputs(body))


def _read_id(body: Mapping[str, Any]) -> str | None:
    value = body.get("id")
    if value is not None and not isinstance(value, str):
        raise _malformed('the id is not a string; send it as text, for example "7"')
    return value


def _read_outputs(body: Mapping[str, Any]) -> frozenset[str] | None:
    wanted = body.get("outputs")
    if not wanted:
        return None
    entries = wanted if isinstance(wanted, list) else [wanted]
    names = [entry.get("name") for entry in entries if isinstance(entry, Mapping)]
    unknown = set(map(str, names)) - V2_OUTPUTS
    if unknown or len(names) < len(entries):
        raise _malformed(f'outputs must be a list of {{"name": …}}; names: {", ".join(sorted(V2_OUTPUTS))}')
    return frozenset(map(str, names))


def _malformed(message: str) -> RequestError:
    return RequestError(422, "malformed_request", message)
