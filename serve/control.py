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
from serve.models import CANARY, STABLE, Models
from serve.repository import Labels, Shelf, newest_of


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class IndexRequest(_Strict):
    """Which entries are wanted."""

    ready: bool = False
    """Only versions that answer."""


class LoadParameters(_Strict):
    """What to load, and as what."""

    version: str | None = None
    """Which version; "canary" for the one that is it now, and by default the one that was exported last."""
    label: Literal["stable", "canary"] = "stable"
    """What it becomes."""
    mirror: float = Field(default=0.0, ge=0, le=1)
    """The share of the stable version's requests that a canary sees too."""


class UnloadParameters(_Strict):
    """What to unload: all of the model, or its canary alone."""

    label: Literal["canary"] | None = None
    unload_dependents: bool = False
    """Triton's; no model here depends on another."""


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


async def list_versions(models: Models, *, only_ready: bool = False) -> list[IndexEntry]:
    """Every version in the folder. Raises `RequestError` 400."""
    with _refusals(models):
        shelf = await asyncio.to_thread(models.repository.scan)
    there = {(name, version) for name, versions in shelf.items() for version in versions}
    entries = [_entry(models, *which) for which in sorted(there | {tuple(service.id) for service in models.services})]
    return [entry for entry in entries if entry.state == "READY" or not only_ready]


def _entry(models: Models, name: str, version: str) -> IndexEntry:
    served = models.table.get(name)
    labels = [label for label, service in served.by_label.items() if service.id.version == version] if served else []
    if labels:
        return IndexEntry(name=name, version=version, state="READY", reason="", labels=labels)
    return IndexEntry(name=name, version=version, state="UNAVAILABLE", reason="not loaded", labels=[])


async def load_version(models: Models, name: str, wanted: LoadParameters) -> None:
    """Give a version its label. Raises `RequestError` 400 or 404."""

    def relabel(shelf: Shelf) -> dict[str, Labels | None]:
        if name not in shelf:
            raise RequestError(404, "model_not_found", "no such model is in the folder")
        now = models.table[name].labels if name in models.table else None
        return {name: _relabel(name, now, wanted, newest_of(shelf[name]))}

    with _refusals(models):
        await models.reload(relabel)


def _relabel(name: str, now: Labels | None, wanted: LoadParameters, newest: str) -> Labels:
    on_trial = now.canary if now and wanted.version == CANARY else None
    version = on_trial or wanted.version or newest
    if wanted.label == STABLE:
        if wanted.mirror:
            raise UserError('a mirror is for a canary; say "label": "canary" too')
        return now.with_stable(version) if now else Labels(stable=version)
    if now is None:
        raise UserError(f"{name} has no stable version beside which a canary could be; load one first")
    return Labels(stable=now.stable, canary=version, mirror=wanted.mirror)


async def unload_version(models: Models, name: str, wanted: UnloadParameters) -> None:
    """Take a label away. Raises `RequestError` 400 or 404."""

    def relabel(_: Shelf) -> dict[str, Labels | None]:
        if name not in models.table:
            raise RequestError(404, "model_not_found", "no such model is served here")
        return {name: Labels(stable=models.table[name].labels.stable) if wanted.label else None}

    with _refusals(models):
        await models.reload(relabel)


@contextmanager
def _refusals(models: Models) -> Iterator[None]:
    """Why it can't be done, without saying where on this machine."""
    try:
        yield
    except UserError as error:
        message = str(error).replace(str(models.repository.folder), "models")
        raise RequestError(400, "not_loaded", message) from error
