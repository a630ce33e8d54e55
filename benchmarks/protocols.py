"""How a server is asked, and what it says: one entry for each protocol the load generator speaks."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

ProtocolName = Literal["predict", "torchserve", "plain", "form"]

# fp32 on another engine differs in the sixth digit; another class, or a mixed-up neighbour, differs in the first.
TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A route, and the reading of its answer as label -> probability."""

    path: str
    read: Callable[[Any], Mapping[str, float]]
    field: str = ""
    """The form's field that holds the picture; without one the picture is the body."""

    def url(self, base: str, model: str) -> str:
        """Where to send pictures of a server at `base`."""
        return base.rstrip("/") + self.path.format(model=model)


def _read_predict(body: Any) -> Mapping[str, float]:
    return {entry["label"]: entry["probability"] for entry in body["predictions"]}


def _read_by_label(body: Any) -> Mapping[str, float]:
    return dict(body[0] if isinstance(body, list) else body)  # BentoML answers with a list of one


PROTOCOLS: Mapping[ProtocolName, Protocol] = {
    "predict": Protocol(path="/predict", read=_read_predict),
    "torchserve": Protocol(path="/predictions/{model}", read=_read_by_label),
    # What the baselines speak, for want of a form of their own.
    "plain": Protocol(path="/predict", read=_read_by_label),
    "form": Protocol(path="/predict", read=_read_by_label, field="file"),
}


def is_right(protocol: Protocol, body: bytes, known: Mapping[str, float], tolerance: float = TOLERANCE) -> bool:
    """Whether an answer names the known best class and every probability it gives is within `tolerance`."""
    try:
        given = protocol.read(json.loads(body))
        near = all(abs(given[label] - known[label]) <= tolerance for label in given)
        best, first = max(known, key=known.__getitem__), max(given, key=given.__getitem__)
    except (ValueError, KeyError, TypeError):  # no JSON, or of another form
        return False
    return near and abs(known[best] - known[first]) <= tolerance
