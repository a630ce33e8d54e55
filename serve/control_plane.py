"""Which versions there are in, which of them answer out: what who has the admin token may change while requests come.

In Triton's terms (extension_model_repository.md); the parameters of a load that say more than Triton's are ours.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from contract import UserError
from contract.request_error import RequestError
from serve.models.registry import CANARY, STABLE, ModelRegistry
from serve.models.repository import Catalog, Labels, newest_of


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class IndexRequest(_Strict):
    """Which entries to list."""

    ready: bool = False
    """If true, list only loaded versions."""


class LoadParameters(_Strict):
    """The version to load, and its new label."""

    version: str | None = None
    """The version to load; "canary" means the current canary. Default: the version that was exported last."""
    label: Literal["stable", "canary"] = "stable"
    """The label that the version gets."""
    mirror: float = Field(default=0.0, ge=0, le=1)
    """Shadow traffic: the share (0 to 1) of the stable version's requests that the canary gets a copy of."""


class UnloadParameters(_Strict):
    """What to unload: the whole model, or (with the label "canary") only its canary."""

    label: Literal["canary"] | None = None
    unload_dependents: bool = False
    """Accepted because Triton's clients send it. It has no effect, as no model depends on another."""


class LoadRequest(_Strict):
    """A request to load."""

    parameters: LoadParameters = Field(default_factory=LoadParameters)


class UnloadRequest(_Strict):
    """A request to unload."""

    parameters: UnloadParameters = Field(default_factory=UnloadParameters)


class IndexEntry(BaseModel):
    """A version in the folder, in Triton's terms, and its labels."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str
    labels: list[str]


async def list_versions(registry: ModelRegistry, *, only_ready: bool = False) -> list[IndexEntry]:
    """Every version in the folder. Raises `RequestError` 400."""
    with _refusals(registry):
        catalog = await asyncio.to_thread(registry.repository.scan)
    there = {(name, version) for name, versions in catalog.items() for version in versions}
    entries = [
        _entry(registry, *which) for which in sorted(there | {tuple(served.id) for served in registry.served_models})
    ]
    return [entry for entry in entries if entry.state == "READY" or not only_ready]


def _entry(registry: ModelRegistry, name: str, version: str) -> IndexEntry:
    entry = registry.table.get(name)
    labels = [label for label, served in entry.by_label.items() if served.id.version == version] if entry else []
    if labels:
        return IndexEntry(name=name, version=version, state="READY", reason="", labels=labels)
    return IndexEntry(name=name, version=version, state="UNAVAILABLE", reason="not loaded", labels=[])


async def load_version(registry: ModelRegistry, name: str, wanted: LoadParameters) -> None:
    """Give a version its label. Raises `RequestError` 400 or 404."""

    def relabel(catalog: Catalog) -> dict[str, Labels | None]:
        if name not in catalog:
            message = "the models folder has no model with this name; POST /v2/repository/index lists the models"
            raise RequestError(404, "model_not_found", message)
        now = registry.table[name].labels if name in registry.table else None
        return {name: _relabel(name, now, wanted, newest_of(catalog[name]))}

    with _refusals(registry):
        await registry.reload(relabel)


def _relabel(name: str, now: Labels | None, wanted: LoadParameters, newest: str) -> Labels:
    on_trial = now.canary if now and wanted.version == CANARY else None
    version = on_trial or wanted.version or newest
    if wanted.label == STABLE:
        if wanted.mirror:
            raise UserError('mirror is given for the label stable; only a canary can have it: set "label": "canary"')
        return now.with_stable(version) if now else Labels(stable=version)
    if now is None:
        raise UserError(f"{name} has no stable version, which a canary needs; load a stable version first")
    return Labels(stable=now.stable, canary=version, mirror=wanted.mirror)


async def unload_version(registry: ModelRegistry, name: str, wanted: UnloadParameters) -> None:
    """Take a label away. Raises `RequestError` 400 or 404."""

    def relabel(_: Catalog) -> dict[str, Labels | None]:
        if name not in registry.table:
            message = "no model with this name is being served; GET /models lists the models"
            raise RequestError(404, "model_not_found", message)
        return {name: Labels(stable=registry.table[name].labels.stable) if wanted.label else None}

    with _refusals(registry):
        await registry.reload(relabel)


@contextmanager
def _refusals(registry: ModelRegistry) -> Iterator[None]:
    """Why it can't be done, without saying where on this machine."""
    try:
        yield
    except UserError as error:
        message = str(error).replace(str(registry.repository.folder), "models")
        raise RequestError(400, "not_loaded", message) from error
