"""The answers of the Open Inference Protocol V2, field by field, for `/docs`; FastAPI holds the routes to them."""

from dataclasses import dataclass
from typing import Literal

from serve.statistics import Duration


@dataclass(frozen=True, kw_only=True)
class ServerMetadata:
    """The server."""

    name: str
    version: str
    extensions: list[str]


@dataclass(frozen=True, kw_only=True)
class ServerLive:
    """Whether the server lives."""

    live: bool


@dataclass(frozen=True, kw_only=True)
class ServerReady:
    """Whether new requests may come."""

    live: bool
    ready: bool


@dataclass(frozen=True, kw_only=True)
class ModelReady:
    """Whether a model answers."""

    name: str
    ready: bool


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """An input or an output; -1 stands for any number."""

    name: str
    datatype: Literal["UINT8", "FP32"]
    shape: list[int]


@dataclass(frozen=True, kw_only=True)
class ModelMetadata:
    """A model's inputs and outputs."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]


@dataclass(frozen=True, kw_only=True)
class ConfiguredTensor:
    """An input or an output, without the batch."""

    name: str
    data_type: str
    dims: list[int]


@dataclass(frozen=True, kw_only=True)
class InstanceGroup:
    """How many batches run at once, and where."""

    name: str
    count: int
    kind: str


@dataclass(frozen=True, kw_only=True)
class DynamicBatching:
    """The sizes of batches that were warmed."""

    preferred_batch_size: list[int]


@dataclass(frozen=True, kw_only=True)
class ModelConfiguration:
    """A model's configuration, in Triton's terms."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[ConfiguredTensor]
    output: list[ConfiguredTensor]
    instance_group: list[InstanceGroup]
    dynamic_batching: DynamicBatching


@dataclass(frozen=True, kw_only=True)
class InferenceStatistics:
    """How often and how long each part of the work was done."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


@dataclass(frozen=True, kw_only=True)
class BatchStatistics:
    """The same for batches of one size."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


@dataclass(frozen=True, kw_only=True)
class ModelStatistics:
    """One model's."""

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferenceStatistics
    batch_stats: list[BatchStatistics]


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Counts and nanoseconds since each model was loaded."""

    model_stats: list[ModelStatistics]


@dataclass(frozen=True, kw_only=True)
class ReplyParameters:
    """Says how many of the bytes behind the JSON are this output's."""

    binary_data_size: int


@dataclass(frozen=True, kw_only=True)
class ReplyTensor:
    """An output: its values in `data`, or after the JSON."""

    name: str
    datatype: Literal["FP32", "BYTES"]
    shape: list[int]
    data: list[float | str] | None = None
    parameters: ReplyParameters | None = None


@dataclass(frozen=True, kw_only=True)
class InferReply:
    """The outputs that were asked for."""

    model_name: str
    model_version: str
    outputs: list[ReplyTensor]
    id: str | None = None
