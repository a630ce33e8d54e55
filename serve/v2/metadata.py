"""What the Open Inference Protocol V2 tells about the server and its models, over REST and gRPC alike."""

from collections.abc import Iterable, Sequence
from typing import Any

from contract import Manifest
from contract.graph import INPUT_NAME
from serve import VERSION
from serve.observability.metrics import ModelId
from serve.observability.statistics import Statistics

NAME = "resnet-service"
PLATFORM = "onnx_onnxv1"
EXTENSIONS = ("binary_tensor_data", "classification", "statistics", "model_configuration")
REPOSITORY = "model_repository"


def describe_server(*, repository: bool) -> dict[str, Any]:
    """The server and what it can do beyond the protocol."""
    return {"name": NAME, "version": VERSION, "extensions": [*EXTENSIONS, *([REPOSITORY] if repository else [])]}


def describe(manifest: Manifest, versions: Iterable[str]) -> dict[str, Any]:
    """Names, types and shapes; -1 is the batch."""
    side, classes = manifest.image.size, len(manifest.classes)
    per_class = [{"name": name, "datatype": "FP32", "shape": [-1, classes]} for name in ("logits", "probabilities")]
    activation = {"name": "activation_map", "datatype": "FP32", "shape": [-1, classes, -1, -1]}
    return {
        "name": manifest.name,
        "versions": list(versions),
        "platform": PLATFORM,
        "inputs": [{"name": INPUT_NAME, "datatype": "UINT8", "shape": [-1, side, side, 3]}],
        "outputs": [*per_class, activation],
    }


def configure(manifest: Manifest, provider: str, runners: int, batches: Sequence[int]) -> dict[str, Any]:
    """What perf_analyzer and model_analyzer ask for, in Triton's terms; dims are without the batch."""
    described = describe(manifest, [])
    kind = "KIND_CPU" if provider == "cpu" else "KIND_GPU"

    def entries(name: str) -> list[dict[str, Any]]:
        return [
            {"name": entry["name"], "data_type": f"TYPE_{entry['datatype']}", "dims": entry["shape"][1:]}
            for entry in described[name]
        ]

    return {
        "name": described["name"],
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": manifest.max_batch,
        "input": entries("inputs"),
        "output": entries("outputs"),
        "instance_group": [{"name": described["name"], "count": runners, "kind": kind}],
        "dynamic_batching": {"preferred_batch_size": list(batches)},
    }


def count(models: Iterable[tuple[ModelId, Statistics]]) -> dict[str, Any]:
    """Counts and nanoseconds since each was loaded."""
    return {"model_stats": [statistics.describe(*model) for model, statistics in models]}
