"""A folder of bundles in, which model to serve in which version out.

`labels.json` in the folder says it: {"corn": {"stable": "2", "canary": "3", "mirror": 0.1}, "weld": null}. A model that
it does not name is served in the version that was exported last; one that is null is not served.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from contract import Manifest, ManifestError, UserError
from contract.atomic import write_text_atomically
from contract.manifest import MANIFEST_FILE, sha256_of
from serve.config import ServeConfig
from serve.saying import say

LABELS_FILE = "labels.json"
# A bundle, a folder of bundles, and runs/ with a bundle in each run.
PLACES = ("", "*/", "*/*/")


@dataclass(frozen=True, kw_only=True)
class BundleEntry:
    """A bundle in the folder. `fingerprint` is its manifest's SHA-256, `exported` its time of export (Unix time)."""

    manifest: Manifest
    folder: Path
    fingerprint: str
    exported: float


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Labels:
    """Which versions of a model are served, and the share of the stable one's requests that its canary sees too."""

    stable: str
    canary: str | None = None
    mirror: Annotated[float, Field(ge=0, le=1)] = 0.0

    def with_stable(self, version: str) -> "Labels":
        """The same with another stable version; a canary that becomes it is none any more."""
        return Labels(stable=version) if self.canary == version else replace(self, stable=version)

    @property
    def versions(self) -> dict[str, str]:
        """Version by label."""
        return {"stable": self.stable, **({"canary": self.canary} if self.canary else {})}


Catalog = Mapping[str, Mapping[str, BundleEntry]]
"""Bundles by name and version."""
NOTHING: Mapping[str, "Labels | None"] = MappingProxyType({})
_FILE = TypeAdapter(dict[str, Labels | None])


class Repository:
    """Bundles and their labels on the disk, or one bundle without labels."""

    def __init__(self, folder: Path, *, single: bool = False) -> None:
        self.folder, self.single = folder, single

    def scan(self) -> Catalog:
        """What is there. Raises `ManifestError`, also where a version is there twice or nothing is."""
        catalog: dict[str, dict[str, BundleEntry]] = {}
        for bundle in [_look(self.folder)] if self.single else self._bundles():
            versions = catalog.setdefault(bundle.manifest.name, {})
            if twice := versions.get(bundle.manifest.version):
                what = f"{bundle.manifest.name}, version {bundle.manifest.version}"
                raise ManifestError(f"{twice.folder} and {bundle.folder} are both {what}; remove one of them")
            versions[bundle.manifest.version] = bundle
        if not catalog:
            raise ManifestError(f"{self.folder} has no bundle; expected folders that contain a {MANIFEST_FILE}")
        return catalog

    def _bundles(self) -> Iterator[BundleEntry]:
        """One that can't be read must not keep the others from being served."""
        for folder in self._folders():
            try:
                yield _look(folder)
            except ManifestError as error:
                say(f"warning: {error}; this bundle is not served", sys.stderr)

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            raise ManifestError(f"{self.folder} is not a folder; expected MODELS to be a folder of bundles")
        paths = [path for place in PLACES for path in sorted(self.folder.glob(f"{place}{MANIFEST_FILE}"))]
        inside = [path.parent for path in paths]
        return [path for path in inside if not any(part[0] == "." for part in path.relative_to(self.folder).parts)]

    def plan(self, catalog: Catalog, changes: Mapping[str, Labels | None] = NOTHING) -> dict[str, Labels]:
        """What to serve, with `changes` of the labels that are kept.

        Raises `UserError` for labels that make no sense or are of versions that are not there.
        """
        newest = {name: Labels(stable=newest_of(versions)) for name, versions in catalog.items()}
        plan = {name: labels for name, labels in {**newest, **self._kept(), **changes}.items() if labels}
        for name, labels in plan.items():
            _check(name, labels, list(catalog.get(name, {})))
        return plan

    def _kept(self) -> dict[str, Labels | None]:
        if self.single:
            return {}
        path = self.folder / LABELS_FILE
        try:
            return _FILE.validate_json(path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UserError(
                f"{path} is not valid: {place or 'the file'}: {first['msg']}; correct or remove the file"
            ) from error

    def keep(self, changes: Mapping[str, Labels | None]) -> None:
        """Write labels for the next start; a single bundle has none. Raises `UserError` where it can't be written."""
        if self.single:
            return
        kept = {name: asdict(labels) if labels else None for name, labels in {**self._kept(), **changes}.items()}
        try:
            write_text_atomically(self.folder / LABELS_FILE, json.dumps(kept, indent=1) + "\n")
        except OSError as error:
            problem = f"{self.folder / LABELS_FILE} can't be written ({error.strerror})"
            raise UserError(f"{problem}, so the change would be lost at a restart; nothing was changed") from error


def open_repository(config: ServeConfig) -> Repository:
    """Where the bundles are."""
    if config.models:
        return Repository(config.models)
    assert config.bundle is not None
    return Repository(config.bundle, single=True)


def _check(name: str, labels: Labels, there: list[str]) -> None:
    if labels.mirror and not labels.canary:
        raise UserError(f"{name} has a mirror but no canary to send it to; set a canary or remove the mirror")
    if labels.canary == labels.stable:
        raise UserError(
            f"version {labels.stable} of {name} can't be both stable and canary; choose another canary or none"
        )
    for label, version in labels.versions.items():
        if version not in there:
            known = ", ".join(there) or "none"
            raise UserError(f"{name} has no version {version} to use as {label}; available versions: {known}")


def newest_of(versions: Mapping[str, BundleEntry]) -> str:
    """The version that was exported last."""
    return max(versions, key=lambda version: (versions[version].exported, version))


def _look(folder: Path) -> BundleEntry:
    manifest, path = Manifest.read(folder), folder / MANIFEST_FILE
    # Only the file's time tells when a bundle of format 1 was exported; a plain copy of it counts as new.
    exported = manifest.exported_at.timestamp() if manifest.exported_at else path.stat().st_mtime
    return BundleEntry(manifest=manifest, folder=folder, fingerprint=sha256_of(path), exported=exported)
