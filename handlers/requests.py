"""Reads a request from TorchServe: finds its images and its protocol.

TorchServe passes a mapping of part names to values: bytes for raw data, str for text/*, decoded JSON for
application/json. Requests in KServe's two protocols are JSON; their structure shows which protocol it is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from contract.json_images import decode_base64, image_in, images_in
from contract.request_error import RequestError

PARTS = ("data", "body", "file", "image")

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
            return Request(protocol=protocol, pictures=images_in(body["instances"], "instances"))
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


def _text_or_picture(body: Any) -> bytes:
    """Text is decoded as base64. If that fails, it is taken as a file, and the image decoder will report what it is."""
    if not isinstance(body, str):
        return image_in(body)
    try:
        return decode_base64(body)
    except RequestError:
        return body.encode()


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
    pictures = images_in(given.get("data"), "data")
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
