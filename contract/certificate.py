"""What was proven of a fast mode before it may serve: how it was compared with fp32, and what it may cost."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The proof by which one mode (a provider and a precision) of one model may serve.

    Shares are of 1. An object is a cluster of images that show the same thing; it is lost where any of its images is:
    an image that fp32 answers rightly and the mode wrongly, or, where labels don't count, that the mode answers
    otherwise.
    """

    provider: str
    precision: str
    file: str
    graph_sha256: str
    """Of `file`."""
    reference_sha256: str
    """Of the fp32 graph that it was compared with."""
    evidence: str
    """The images that admitted it, in words."""
    objects: int
    lost: int
    bound: float
    """At the confidence given, not more than this share of objects is lost (Clopper and Pearson 1934, one-sided)."""
    confidence: float
    max_loss: float
    """What the user allowed for `bound`."""
    drift: float
    """The largest difference of a probability from fp32's that was seen."""
    figures: Mapping[str, Any]
    """Accuracy, agreement, McNemar's test, recall and calibration of both."""
    in_float: tuple[str, ...]
    """Layers of an int8 graph that are kept in float."""
    made_on: Mapping[str, str]
    """Processor and versions."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Certificate":
        """The certificate in a manifest's entry. Raises `TypeError`, `ValueError` or `KeyError`."""
        if set(values) != (expected := {entry.name for entry in fields(cls)}):
            raise ValueError(f"a certificate has other entries: {', '.join(sorted(set(values) ^ expected))}")
        if not 0 <= values["bound"] <= values["max_loss"] <= 1 or not 0 <= values["drift"] <= 1:
            raise ValueError(f"the certificate for {values['provider']} {values['precision']} admits nothing")
        return cls(**{**values, "in_float": tuple(values["in_float"])})
