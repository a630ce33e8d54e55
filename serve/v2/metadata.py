"""What the Open Inference Protocol V2 tells about the server and its models, over REST and gRPC alike."""

from collections.abc import Iterable, Sequence

from contract import Manifest
from contract.graph import INPUT_NAME
from runtime.providers import PROVIDERS, versions_of
from runtime.tuning import Tuning
from serve import VERSION
from serve.observability.metrics import ModelId
from serve.observability.statistics import Duration
from serve.observability.statistics import Statistics as Counts
from serve.v2.responses import (
    BatchStatistics,
    ConfiguredTensor,
    DynamicBatching,
    InferenceStatistics,
    InstanceGroup,
    ModelConfiguration,
    ModelMetadata,
    ModelStatistics,
    Parameter,
    ServerMetadata,
    Statistics,
    Tensor,
)

NAME = "resnet-service"
PLATFORM = "onnx_onnxv1"
EXTENSIONS = ("binary_tensor_data", "classification", "statistics", "model_configuration")
REPOSITORY = "model_repository"


def describe_server(*, repository: bool) -> ServerMetadata:
    """The server and what it can do beyond the protocol."""
    return ServerMetadata(name=NAME, version=VERSION, extensions=[*EXTENSIONS, *([REPOSITORY] if repository else [])])


def describe(manifest: Manifest, versions: Iterable[str]) -> ModelMetadata:
    """Names, types and shapes; -1 is the batch."""
    side, classes = manifest.image.size, len(manifest.classes)
    outputs = {"logits": [classes], "probabilities": [classes], "activation_map": [classes, -1, -1]}
    return ModelMetadata(
        name=manifest.name,
        versions=list(versions),
        platform=PLATFORM,
        inputs=[Tensor(name=INPUT_NAME, datatype="UINT8", shape=[-1, side, side, 3])],
        outputs=[Tensor(name=name, datatype="FP32", shape=[-1, *shape]) for name, shape in outputs.items()],
    )


def configure(manifest: Manifest, tuning: Tuning, batches: Sequence[int]) -> ModelConfiguration:
    """What perf_analyzer and model_analyzer ask for, in Triton's terms; dims are without the batch."""
    described, mode = describe(manifest, []), tuning.mode
    kind = "KIND_GPU" if PROVIDERS[mode.provider].on_graphics_card else "KIND_CPU"
    parameters = {
        "provider": mode.provider,
        "precision": mode.precision,
        "threads": str(tuning.threads),
        "versions": versions_of(mode.provider),
    }
    return ModelConfiguration(
        name=described.name,
        platform=PLATFORM,
        backend="onnxruntime",
        max_batch_size=manifest.max_batch,
        input=[_configure(tensor) for tensor in described.inputs],
        output=[_configure(tensor) for tensor in described.outputs],
        instance_group=[InstanceGroup(name=described.name, count=tuning.runners, kind=kind)],
        dynamic_batching=DynamicBatching(preferred_batch_size=list(batches)),
        parameters={name: Parameter(string_value=value) for name, value in parameters.items()},
    )


def _configure(tensor: Tensor) -> ConfiguredTensor:
    return ConfiguredTensor(name=tensor.name, data_type=f"TYPE_{tensor.datatype}", dims=tensor.shape[1:])


def count(models: Iterable[tuple[ModelId, Counts]]) -> Statistics:
    """Counts and nanoseconds since each was loaded."""
    return Statistics(model_stats=[_count(model, counts) for model, counts in models])


def _count(model: ModelId, counts: Counts) -> ModelStatistics:
    """In Triton's terms: an execution is a batch, an inference a picture."""
    none = Duration()
    return ModelStatistics(
        name=model.model,
        version=model.version,
        last_inference=counts.last_ms,
        inference_count=counts.inferences,
        execution_count=sum(taken.count for taken in counts.batches.values()),
        inference_stats=InferenceStatistics(
            success=counts.success,
            fail=counts.fail,
            queue=counts.queue,
            compute_input=counts.compute_input,
            compute_infer=counts.compute_infer,
            compute_output=none,
            cache_hit=none,
            cache_miss=none,
        ),
        batch_stats=[
            BatchStatistics(batch_size=size, compute_input=none, compute_infer=taken, compute_output=none)
            for size, taken in sorted(counts.batches.items())
        ],
    )
