"""How a server is asked, and what it says: one entry for each protocol the load generator speaks."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from contract.graph import INPUT_NAME

ProtocolName = Literal["predict", "torchserve", "v2", "v2-binary", "plain", "form"]

# fp32 on another engine differs in the sixth digit; another class, or a mixed-up neighbour, differs in the first.
TOLERANCE = 1e-3


class Body(NamedTuple):
    """What is sent for a picture."""

    content: bytes
    headers: Mapping[str, str]


def _raw(picture: bytes) -> Body:
    return Body(picture, {"Content-Type": "image/jpeg"})


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A route, what is sent there for a picture, and the reading of the answer as label -> probability."""

    path: str
    read: Callable[[bytes], Mapping[str, float]]
    write: Callable[[bytes], Body] = _raw
    field: str = ""
    """The form's field that holds the picture, for a protocol that takes a form."""

    def url(self, base: str, model: str) -> str:
        """Where to send pictures of a server at `base`."""
        return base.rstrip("/") + self.path.format(model=model)


def _read_predict(body: bytes) -> Mapping[str, float]:
    return {entry["label"]: entry["probability"] for entry in json.loads(body)["predictions"]}


def _read_by_label(body: bytes) -> Mapping[str, float]:
    answer = json.loads(body)
    return dict(answer[0] if isinstance(answer, list) else answer)  # BentoML answers with a list of one


def _write_v2(picture: bytes) -> Body:
    """In JSON, a picture's file is written in base64."""
    data = {"data": [base64.b64encode(picture).decode()]}
    return Body(_v2_request(data, binary=False), {"Content-Type": "application/json"})


def _write_v2_binary(picture: bytes) -> Body:
    """After the JSON, with its length before it (Triton's extension_binary_data.md)."""
    text = _v2_request({"parameters": {"binary_data_size": 4 + len(picture)}}, binary=True)
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(text))}
    return Body(text + len(picture).to_bytes(4, "little") + picture, headers)


def _v2_request(given: Mapping[str, Any], binary: bool) -> bytes:
    classes = {"name": "probabilities", "parameters": {"classification": 1000, "binary_data": binary}}
    sent = {"name": INPUT_NAME, "datatype": "BYTES", "shape": [1], **given}
    return json.dumps({"inputs": [sent], "outputs": [classes]}).encode()


def _read_v2(body: bytes) -> Mapping[str, float]:
    """`score:index:label` for each class, in the JSON or after it."""
    text = body.decode("latin-1")  # a character for each byte, so that what follows the JSON is found by its place
    answer, end = json.JSONDecoder().raw_decode(text)
    (output,) = answer["outputs"]
    texts = output["data"] if "data" in output else _elements(body[end:])
    split = [entry.split(":", 2) for entry in texts]
    return {label: float(score) for score, _, label in split}


def _elements(binary: bytes) -> list[str]:
    found, place = [], 0
    while place < len(binary):
        begin = place + 4
        place = begin + int.from_bytes(binary[place:begin], "little")
        found.append(binary[begin:place].decode())
    return found


PROTOCOLS: Mapping[ProtocolName, Protocol] = {
    "predict": Protocol(path="/predict", read=_read_predict),
    "torchserve": Protocol(path="/predictions/{model}", read=_read_by_label),
    "v2": Protocol(path="/v2/models/{model}/infer", read=_read_v2, write=_write_v2),
    "v2-binary": Protocol(path="/v2/models/{model}/infer", read=_read_v2, write=_write_v2_binary),
    # What the baselines speak, for want of a form of their own.
    "plain": Protocol(path="/predict", read=_read_by_label),
    "form": Protocol(path="/predict", read=_read_by_label, field="file"),
}


def is_right(protocol: Protocol, body: bytes, known: Mapping[str, float], tolerance: float = TOLERANCE) -> bool:
    """Whether an answer names the known best class and every probability it gives is within `tolerance`."""
    try:
        given = protocol.read(body)
        near = all(abs(given[label] - known[label]) <= tolerance for label in given)
        best, first = max(known, key=known.__getitem__), max(given, key=given.__getitem__)
    except (ValueError, KeyError, TypeError, AttributeError):  # no JSON, or of another form
        return False
    return near and abs(known[best] - known[first]) <= tolerance
