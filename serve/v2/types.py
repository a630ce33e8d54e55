"""An inference request of the Open Inference Protocol V2, field by field, and what was read from one."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FailFast, Field

from contract.graph import INPUT_NAME, OUTPUT_NAMES
from serve.errors import malformed_request

Pixels = NDArray[np.uint8]
TIMEOUT_SCHEMA = {"type": ["integer", "null"], "minimum": 1, "description": "Time limit in microseconds"}


def _told(**schema: Any) -> Any:
    """What `/docs` says of a field besides its type; `codec.make_query` checks it, for gRPC too."""
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
