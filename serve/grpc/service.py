"""The calls of the Open Inference Protocol V2 over gRPC; each says what the same path says over REST."""

import asyncio
from dataclasses import asdict
from typing import Any, TypeVar

from google.protobuf.json_format import ParseDict
from pydantic import BaseModel, ValidationError
from tritonclient.grpc import service_pb2
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer

from contract.graph import Outputs
from contract.request_error import RequestError
from serve.control_plane import LoadParameters, UnloadParameters, list_versions, load_version, unload_version
from serve.dataplane import DataPlane
from serve.grpc.calls import Call
from serve.grpc.messages import read_parameters, read_query, write_answer
from serve.v2.codec import reply_size
from serve.v2.metadata import configure, count, describe, describe_server

Parameters = TypeVar("Parameters", bound=BaseModel)


class InferenceService(GRPCInferenceServiceServicer):  # type: ignore[misc] # tritonclient ships no types
    """Answers with the data plane's models. `repository` says whether there are the calls of the repository."""

    def __init__(self, dataplane: DataPlane, *, repository: bool) -> None:
        self._dataplane, self._registry, self._repository = dataplane, dataplane.registry, repository

    async def ServerLive(self, _: Any, call: Call) -> Any:
        """The event loop turns."""
        return service_pb2.ServerLiveResponse(live=True)

    async def ServerReady(self, _: Any, call: Call) -> Any:
        """New requests may come."""
        return service_pb2.ServerReadyResponse(ready=self._registry.health.ready)

    async def ServerMetadata(self, _: Any, call: Call) -> Any:
        """The server and what it can do beyond the protocol."""
        return fill(service_pb2.ServerMetadataResponse(), describe_server(repository=self._repository))

    async def ModelReady(self, request: Any, call: Call) -> Any:
        """The model answers; of one that is not there Triton says that it does not."""
        try:
            self._registry.find(request.name, request.version or None)
        except RequestError:
            return service_pb2.ModelReadyResponse(ready=False)
        return service_pb2.ModelReadyResponse(ready=self._registry.health.ready)

    async def ModelMetadata(self, request: Any, call: Call) -> Any:
        """The model's inputs and outputs."""
        served = self._registry.find(request.name, request.version or None)
        described = describe(served.model.manifest, self._registry.versions(request.name))
        return fill(service_pb2.ModelMetadataResponse(), described)

    async def ModelConfig(self, request: Any, call: Call) -> Any:
        """The model's configuration, in Triton's terms."""
        served = self._registry.find(request.name, request.version or None)
        return service_pb2.ModelConfigResponse(config=fill(ModelConfig(), configure(*served.settings)))

    async def ModelStatistics(self, request: Any, call: Call) -> Any:
        """Counts and nanoseconds since the model was loaded; of all models if none is named."""
        named = (
            [self._registry.find(request.name, request.version or None)]
            if request.name
            else self._registry.served_models
        )
        return fill(service_pb2.ModelStatisticsResponse(), count((served.id, served.statistics) for served in named))

    async def ModelInfer(self, request: Any, call: Call) -> Any:
        """Outputs for pixels (UINT8 [N, size, size, 3]) or picture files (BYTES [N])."""
        config = self._dataplane.config
        name, version, deadline = request.model_name, request.model_version or None, call.deadline(config.timeout_ms)
        with self._dataplane.admit(name, version, deadline, call.timing) as admitted:
            manifest, model = admitted.served.model.manifest, admitted.served.id
            query = await admitted.work(lambda: read_query(request, manifest.image.size, config.max_files))
            admitted.deadline = deadline.within(query.request.timeout_ms)
            outputs = Outputs.join(await admitted.infer(query))
            labels = [entry.label for entry in manifest.classes]
            call.hold(reply_size(query, outputs))
            return await admitted.work(lambda: write_answer(query, outputs, labels, model))

    async def RepositoryIndex(self, request: Any, call: Call) -> Any:
        """Every version in the folder, and which of them answer."""
        entries = await list_versions(self._registry, only_ready=request.ready)
        said = {"models": [entry.model_dump() for entry in entries]}
        return ParseDict(said, service_pb2.RepositoryIndexResponse(), ignore_unknown_fields=True)

    async def RepositoryModelLoad(self, request: Any, call: Call) -> Any:
        """Load, verify and warm a version; then let it answer in place of the one before it."""
        wanted = check(LoadParameters, request)
        # A client that leaves must not end this half-way.
        await asyncio.shield(load_version(self._registry, request.model_name, wanted))
        return service_pb2.RepositoryModelLoadResponse()

    async def RepositoryModelUnload(self, request: Any, call: Call) -> Any:
        """Stop answering with a model, or with its canary; requests that it has are answered."""
        wanted = check(UnloadParameters, request)
        await asyncio.shield(unload_version(self._registry, request.model_name, wanted))
        return service_pb2.RepositoryModelUnloadResponse()


def fill(message: Any, said: Any) -> Any:
    """The message that says what a dataclass does; REST may say more than it has room for."""
    return ParseDict(asdict(said), message, ignore_unknown_fields=True)


def check(kind: type[Parameters], request: Any) -> Parameters:
    """A repository request's parameters. Raises `RequestError` 422."""
    try:
        return kind.model_validate(read_parameters(request.parameters))
    except ValidationError as error:
        problems = "; ".join(f"{entry['loc'][-1]}: {entry['msg']}" for entry in error.errors())
        raise RequestError(422, "invalid_parameter", problems[:300]) from error
