"""One request as TorchServe hands it over in, the pictures in it and the protocol it speaks out.

TorchServe gives a mapping of part names to values: bytes for anything raw, str for text/*, decoded JSON for
application/json. KServe's two protocols arrive as JSON on their own routes and are told apart by their shape.
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
    """What is asked: image files as bytes, or why the request can't be read."""

    protocol: Protocol
    pictures: tuple[bytes, ...] = ()
    id: str | None = None
    """Version 2 only: given back in the answer."""
    outputs: frozenset[str] | None = None
    """Version 2 only: the outputs asked for, or None for all."""
    error: RequestError | None = None


def read_request(parts: Mapping[str, Any]) -> Request:
    """Read one request; a malformed one carries its error."""
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
    """The part that holds the picture or the JSON; JSON is decoded where TorchServe has not done so."""
    present = [name for name in PARTS if name in parts]
    if not present:
        message = "no picture; send bytes as image/jpeg, JSON as application/json, or a form with one part named data"
        raise RequestError(422, "missing_file", message)
    if len(present) > 1:
        raise RequestError(422, "too_many_files", "this route answers for one picture; send one request for each")
    body = parts[present[0]]
    # No picture begins so; a content type with a charset keeps TorchServe from decoding it.
    if isinstance(body, (bytes, bytearray)) and body.lstrip()[:1] in (b"{", b"[", b'"'):
        return _decode_json(bytes(body))
    return body


def _decode_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(400, "malformed_json", "the body begins like JSON and is none") from None


def _protocol_of(body: Any) -> Protocol:
    if isinstance(body, Mapping) and "instances" in body:
        return "kserve_v1"
    if isinstance(body, Mapping) and "inputs" in body:
        return "kserve_v2"
    return "torchserve"


def _pictures(values: Any, name: str) -> tuple[bytes, ...]:
    if not isinstance(values, list) or not values:
        raise RequestError(422, "missing_file", f"{name} holds no pictures; expected a list of base64 texts")
    if len(values) > MAX_PICTURES:
        raise RequestError(422, "too_many_files", f"{name} holds {len(values)} pictures; expected up to {MAX_PICTURES}")
    return tuple(_picture(value) for value in values)


def _text_or_picture(body: Any) -> bytes:
    """Text is base64, or else a text file that someone took for a picture: the decoder says what it is."""
    if not isinstance(body, str):
        return _picture(body)
    try:
        return _decode_base64(body)
    except RequestError:
        return body.encode()


def _picture(value: Any) -> bytes:
    """The bytes of an image file: as they are, or from base64, alone or as a member of a JSON object."""
    if isinstance(value, Mapping):
        value = next((value[name] for name in JSON_PARTS if name in value), None)
        value = value.get("b64") if isinstance(value, Mapping) else value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return _decode_base64(value)
    raise RequestError(422, "missing_file", 'no picture in the JSON; expected base64 text, as in {"b64": "/9j/4AAQ…"}')


def _decode_base64(text: str) -> bytes:
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(400, "malformed_base64", "the text is not base64 of an image file") from None


def _read_v2(body: Mapping[str, Any]) -> Request:
    """An Open Inference Protocol request: one BYTES input, each element the base64 of an image file."""
    inputs = body["inputs"]
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], Mapping):
        raise _malformed("expected one input, of datatype BYTES, with base64 image files as its data")
    (given,) = inputs
    if given.get("datatype") != "BYTES":
        raise _malformed(f"the input's datatype is {given.get('datatype')}; expected BYTES, holding image files")
    pictures = _pictures(given.get("data"), "data")
    if given.get("shape") not in ([len(pictures)], [len(pictures), 1], [-1], [-1, 1]):
        raise _malformed(f"the input's shape is {given.get('shape')}; its data are [{len(pictures)}]")
    return Request(protocol="kserve_v2", pictures=pictures, id=_read_id(body), outputs=_read_outputs(body))


def _read_id(body: Mapping[str, Any]) -> str | None:
    value = body.get("id")
    if value is not None and not isinstance(value, str):
        raise _malformed("the id is no text")
    return value


def _read_outputs(body: Mapping[str, Any]) -> frozenset[str] | None:
    wanted = body.get("outputs")
    if not wanted:
        return None
    entries = wanted if isinstance(wanted, list) else [wanted]
    names = [entry.get("name") for entry in entries if isinstance(entry, Mapping)]
    unknown = set(map(str, names)) - V2_OUTPUTS
    if unknown or len(names) < len(entries):
        raise _malformed(f'outputs can be {", ".join(sorted(V2_OUTPUTS))}; each as {{"name": …}}')
    return frozenset(map(str, names))


def _malformed(message: str) -> RequestError:
    return RequestError(422, "malformed_request", message)
