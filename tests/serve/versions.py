"""Bundles of other names and versions, made of a real one, and a server's models without the server."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from serve.config import ServeConfig
from serve.health import Health
from serve.models.loader import Loader
from serve.models.registry import ModelRegistry
from serve.models.repository import open_repository


def add_version(
    bundle: Path, parent: Path, name: str, version: str, folder: str = "", *, other_way_round: bool = False
) -> Path:
    """A copy of `bundle` in `parent` under another name and version, exported now; it appears there as a whole.

    `other_way_round` turns the order of its classes, so that it gives other answers.
    """
    target = parent / (folder or f"{name}-{version}")
    parent.mkdir(exist_ok=True)
    making = shutil.copytree(bundle, parent / f".{target.name}")
    manifest = making / "manifest.json"
    said = {**json.loads(manifest.read_text(encoding="utf-8")), "name": name, "version": version}
    said["exported_at"] = datetime.now(UTC).isoformat()
    if other_way_round:
        said["classes"].reverse()
    manifest.write_text(json.dumps(said), encoding="utf-8")
    return making.rename(target)


def open_models(folder: Path, health: Health | None = None) -> ModelRegistry:
    """The models of a folder, at work; within an event loop."""
    config = ServeConfig(models=folder, runners=1, threads=1)
    models = ModelRegistry(open_repository(config), Loader(config), health or Health())
    models.load_all()
    models.start()
    return models
