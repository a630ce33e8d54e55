"""An example of each answer for /docs, made from its schema and from what its fields usually hold."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
LABELS = {"rust": 0.97, "healthy": 0.02, "blight": 0.01}
BY_TYPE: dict[str, Any] = {"string": "leaf", "integer": 1, "number": 0.97, "boolean": True}
# By a field's name, or where that is not enough by its class and name.
BY_NAME: dict[str, Any] = {
    "backend": "onnxruntime",
    "count": 1,
    "data": [0.01, 0.02, 0.97],
    "data_type": "TYPE_UINT8",
    "dims": [224, 224, 3],
    "display_name": "Common rust",
    "extensions": ["statistics"],
    "kind": "KIND_CPU",
    "label": "rust",
    "labels": ["stable"],
    "last_inference": 1_764_000_000_000,
    "max_batch_size": 32,
    "ns": 9_710_000,
    "platform": "onnx_onnxv1",
    "predictions": [LABELS],
    "preferred_batch_size": [1, 2, 4, 8],
    "reason": "",
    "shape": [-1, 224, 224, 3],
    "version": "1",
    "model_version": "1",
    "ConfiguredTensor.name": "image",
    "ModelConfiguration.parameters": {"provider": {"string_value": "cpu"}, "precision": {"string_value": "fp32"}},
    "ModelMetadata.outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}],
    "ModelMetadata.versions": ["1"],
    "ReplyTensor.name": "probabilities",
    "ReplyTensor.shape": [1, 3],
    "ServerMetadata.name": "resnet-service",
    "Tensor.name": "image",
}


class Examples:
    """Examples of what the schemas of a document's components allow."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def of(self, schema: Schema, owner: str = "", field: str = "") -> Any:
        """One that fits `schema`, which is that of a field if there is one."""
        if known := self._known(schema, owner, field):
            return known[0]
        if "$ref" in schema:
            return self._of_class(schema["$ref"].rpartition("/")[2])
        if chosen := next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), None):
            return self.of(chosen, owner, field)
        if "items" in schema:
            return [self.of(schema["items"])]
        return LABELS if schema.get("type") == "object" else BY_TYPE[schema["type"]]

    def _known(self, schema: Schema, owner: str, field: str) -> list[Any]:
        """Those that are given, the best first; a name alone says nothing of a field with fields of its own."""
        names = [f"{owner}.{field}", *([field] if "$ref" not in str(schema) else [])]
        allowed = [schema["const"]] if "const" in schema else schema.get("enum", [])
        return [*(BY_NAME[name] for name in names if name in BY_NAME), *allowed]

    def _of_class(self, name: str) -> dict[str, Any]:
        schema = self._schemas[name]
        properties = schema["properties"]
        shown = [field for field in properties if field in schema.get("required", ()) or field in BY_NAME]
        return {field: self.of(properties[field], name, field) for field in shown}
