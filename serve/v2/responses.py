"""The answers of the Open Inference Protocol V2, field by field, for `/docs`; FastAPI holds the routes to them."""

from dataclasses import dataclass
from typing import Literal

from serve.observability.statistics import Duration


@dataclass(frozen=True, kw_only=True)
class ServerMetadata:
    """The server's name, version and protocol extensions."""

    name: str
    version: str
    extensions: list[str]


@dataclass(frozen=True, kw_only=True)
class ServerLive:
    """Whether the server is running."""

    live: bool


@dataclass(frozen=True, kw_only=True)
class ServerReady:
    """Whether the server accepts new requests."""

    live: bool
    ready: bool


@dataclass(frozen=True, kw_only=True)
class ModelReady:
    """Whether a model is ready."""

    name: str
    ready: bool


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """An input or an output; -1 in a shape means any number."""

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
    """An input or an output, without the batch dimension."""

    name: str
    data_type: str
    dims: list[int]


@dataclass(frozen=True, kw_only=True)
class InstanceGroup:
    """Number of batches that run in parallel, and the kind of device."""

    name: str
    count: int
    kind: str


@dataclass(frozen=True, kw_only=True)
class DynamicBatching:
    """The batch sizes that were warmed up."""

    preferred_batch_size: list[int]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A setting, by its name: how the model is run."""

    string_value: str


@dataclass(frozen=True, kw_only=True)
class ModelConfiguration:
    """A model's configuration in Triton's format."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[ConfiguredTensor]
    output: list[ConfiguredTensor]
    instance_group: list[InstanceGroup]
    dynamic_batching: DynamicBatching
    parameters: dict[str, Parameter]


@dataclass(frozen=True, kw_only=True)
class InferenceStatistics:
    """Count and total duration of each part of the work."""

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
    """Count and total duration of each part of the work, for batches of one size."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


@dataclass(frozen=True, kw_only=True)
class ModelStatistics:
    """The statistics of one model."""

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferenceStatistics
    batch_stats: list[BatchStatistics]


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Request counts and durations (in nanoseconds) since each model was loaded."""

    model_stats: list[ModelStatistics]


@dataclass(frozen=True, kw_only=True)
class ReplyParameters:
    """The number of bytes after the JSON that belong to this output."""

    binary_data_size: int


@dataclass(frozen=True, kw_only=True)
class ReplyTensor:
    """An output tensor. Its values are in `data`, or follow the JSON as binary data."""

    name: str
    datatype: Literal["FP32", "BYTES"]
    shape: list[int]
    data: list[float | str] | None = None
    parameters: ReplyParameters | None = None


@dataclass(frozen=True, kw_only=True)
class InferReply:
    """The requested outputs."""

    model_name: str
    model_version: str
    outputs: list[ReplyTensor]
    id: str | None = None
